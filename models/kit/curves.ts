/**
 * Curves of a run as an SVG file.
 *
 * @module
 */
import type { Metrics } from "./run_folder.ts";

/** One chart of {@linkcode curvesSvg}. */
export interface Panel {
  /** Text above the chart. */
  title: string;
  /** Names of the metrics that it shows. */
  keys: readonly string[];
  /** Whether the vertical axis is logarithmic. @default {false} */
  log?: boolean;
}

interface Series {
  key: string;
  points: [number, number][];
}

interface Axis {
  low: number;
  high: number;
  ticks: number[];
  log: boolean;
}

const WIDTH = 720;
const PANEL_HEIGHT = 240;
const MARGIN = { left: 64, right: 16, top: 34, bottom: 34 };

// Colour-blind safe, after Okabe and Ito.
const COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"];

/** Points per curve beyond which means of neighbours are drawn. */
const MAX_POINTS = 600;

/**
 * Draws metrics over steps, one chart below the other. Charts without a single number are left out.
 *
 * @param metrics Lines of `metrics.jsonl`.
 * @param panels What to draw; by default loss, accuracy and learning rate, by the metrics' names.
 * @returns The text of an SVG file.
 */
export function curvesSvg(metrics: readonly Metrics[], panels = panelsOf(metrics)): string {
  const charts = panels
    .map((panel) => ({ panel, series: panel.keys.map((key) => seriesOf(metrics, key)) }))
    .map(({ panel, series }) => ({ panel, series: series.filter((s) => s.points.length > 0) }))
    .filter(({ series }) => series.length > 0);
  const height = Math.max(1, charts.length) * PANEL_HEIGHT;
  const body = charts.map(({ panel, series }, i) => chart(panel, series, i * PANEL_HEIGHT));
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}"` +
    ` viewBox="0 0 ${WIDTH} ${height}" font-family="sans-serif" font-size="12">`,
    `<rect width="100%" height="100%" fill="#fff"/>`,
    ...body,
    "</svg>",
    "",
  ].join("\n");
}

/** Sorts metrics into charts by their names. */
function panelsOf(metrics: readonly Metrics[]): Panel[] {
  const keys = [...new Set(metrics.flatMap((line) => Object.keys(line)))];
  const named = (pattern: RegExp): string[] => keys.filter((key) => pattern.test(key));
  return [
    { title: "loss", keys: named(/loss|^val$/i) },
    { title: "accuracy", keys: named(/acc/i) },
    { title: "learning rate", keys: named(/^lr$/i) },
  ];
}

function seriesOf(metrics: readonly Metrics[], key: string): Series {
  const points: [number, number][] = [];
  for (const line of metrics) {
    const value = line[key];
    if (typeof value === "number" && Number.isFinite(value)) points.push([line.step, value]);
  }
  return { key, points: thin(points) };
}

/** Means of equally many neighbours, so that a long run is a curve and no cloud. */
function thin(points: [number, number][]): [number, number][] {
  const size = Math.ceil(points.length / MAX_POINTS);
  if (size <= 1) return points;
  const thinned: [number, number][] = [];
  for (let i = 0; i < points.length; i += size) {
    const group = points.slice(i, i + size);
    const mean = group.reduce((sum, [, value]) => sum + value, 0) / group.length;
    thinned.push([group.at(-1)![0], mean]);
  }
  return thinned;
}

function chart({ title, log = false }: Panel, series: readonly Series[], top: number): string {
  const points = series.flatMap((s) => s.points);
  const x = axis(points.map(([step]) => step), false);
  const y = axis(points.map(([, value]) => value), log);
  const right = WIDTH - MARGIN.right;
  const bottom = top + PANEL_HEIGHT - MARGIN.bottom;
  const toX = (value: number): number => place(x, value, MARGIN.left, right);
  const toY = (value: number): number => place(y, value, bottom, top + MARGIN.top);
  const lines = [`<text x="${MARGIN.left}" y="${top + 20}" font-weight="bold">${title}</text>`];
  for (const tick of y.ticks) {
    const at = toY(tick);
    lines.push(`<path d="M${MARGIN.left} ${at}H${right}" stroke="#ddd"/>`);
    lines.push(
      `<text x="${MARGIN.left - 8}" y="${at + 4}" text-anchor="end">${label(tick)}</text>`,
    );
  }
  for (const tick of x.ticks) {
    lines.push(
      `<text x="${toX(tick)}" y="${bottom + 18}" text-anchor="middle">${label(tick)}</text>`,
    );
  }
  series.forEach(({ key, points }, i) => {
    const colour = COLOURS[i % COLOURS.length];
    const path = points.map(([step, value]) => `${toX(step)} ${toY(value)}`).join("L");
    lines.push(`<path d="M${path}" fill="none" stroke="${colour}" stroke-width="1.5"/>`);
    if (points.length === 1) {
      lines.push(
        `<circle cx="${toX(points[0]![0])}" cy="${toY(points[0]![1])}" r="3" fill="${colour}"/>`,
      );
    }
    const legend = right - 110 * (series.length - i - 1);
    lines.push(
      `<text x="${legend}" y="${top + 20}" text-anchor="end" fill="${colour}">${
        escape(key)
      }</text>`,
    );
  });
  return lines.join("\n");
}

/** Ends and ticks of an axis: steps of 1, 2 or 5 times a power of ten, or powers of ten. */
export function axis(values: readonly number[], log: boolean): Axis {
  const usable = log ? values.filter((value) => value > 0) : values;
  let low = usable.reduce((a, b) => Math.min(a, b), Infinity);
  let high = usable.reduce((a, b) => Math.max(a, b), -Infinity);
  if (log && usable.length > 0) {
    const first = Math.floor(Math.log10(low));
    const last = Math.max(first + 1, Math.ceil(Math.log10(high)));
    const ticks = Array.from({ length: last - first + 1 }, (_, i) => 10 ** (first + i));
    return { low: 10 ** first, high: 10 ** last, ticks, log };
  }
  if (!(low < high)) [low, high] = Number.isFinite(low) ? [low - 0.5, low + 0.5] : [0, 1];
  const raw = (high - low) / 5;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= raw)!;
  const first = Math.floor(low / step);
  const last = Math.ceil(high / step);
  const ticks = Array.from({ length: last - first + 1 }, (_, i) => clean((first + i) * step));
  return { low: first * step, high: last * step, ticks, log: false };
}

function place({ low, high, log }: Axis, value: number, from: number, to: number): number {
  const unit = log
    ? (Math.log10(Math.max(value, low)) - Math.log10(low)) / (Math.log10(high) - Math.log10(low))
    : (value - low) / (high - low);
  return Math.round(10 * (from + unit * (to - from))) / 10;
}

/** Takes away what binary fractions add: 0.30000000000000004. */
function clean(value: number): number {
  return Number(value.toPrecision(12));
}

function label(value: number): string {
  const size = Math.abs(value);
  if (size >= 1e6) return `${clean(value / 1e6)} M`;
  if (size >= 1e4) return `${clean(value / 1e3)} k`;
  return size > 0 && size < 1e-3 ? value.toExponential() : String(value);
}

function escape(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
}
