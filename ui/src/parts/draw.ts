// Draws one signal with uPlot: a min–max band with the mean through it, so that no peak is lost; broken where
// readings fail to come, with the ground hatched there; late readings hollow, bad ones a × at the foot.
// A chunk of its own, as only pages with charts need it.

import uPlot from "uplot";
import { gaps, runs, type Column } from "../data/readings";

export interface Look {
  ink: string;
  band: string;
  grid: string;
  text: string;
  hatch: string;
  limit: string;
  font: string;
}

export interface Line {
  value: number;
  name: string;
}

export interface Span {
  from: number;
  to: number;
  color: string;
}

export interface Picture {
  column: Column;
  /** Seconds: the range on the screen, and the server's now. */
  from: number;
  to: number;
  now: number;
  limits: Line[];
  spans: Span[];
  zone: string;
  look: Look;
  zoom: (from: number, to: number) => void;
  cursor: (index: number | null) => void;
}

const HEIGHT = 168;

export class Drawing {
  private plot: uPlot;
  private picture: Picture;
  private readonly watch: ResizeObserver;

  constructor(private readonly host: HTMLElement, picture: Picture, sync: string) {
    this.picture = picture;
    this.plot = new uPlot(this.options(sync), this.data(), host);
    this.watch = new ResizeObserver(() => this.plot.setSize({ width: Math.max(200, host.clientWidth), height: HEIGHT }));
    this.watch.observe(host);
  }

  /** New data under the same axes; nothing is redrawn while somebody drags. */
  update(picture: Picture): void {
    if (this.plot.select.width > 0 && this.host.matches(":active")) return;
    this.picture = picture;
    this.plot.setData(this.data(), false);
    this.plot.batch(() => {
      this.plot.setScale("x", { min: picture.from, max: picture.to });
      this.plot.setScale("y", { min: 0, max: 1 });
    });
    this.plot.redraw();
  }

  move(index: number | null): void {
    const time = index === null ? undefined : this.picture.column.time[index];
    if (time === undefined) this.plot.setCursor({ left: -10, top: -10 });
    else this.plot.setCursor({ left: this.plot.valToPos(time, "x"), top: 40 });
  }

  close(): void {
    this.watch.disconnect();
    this.plot.destroy();
  }

  private data(): uPlot.AlignedData {
    const { column } = this.picture;
    return [column.time, column.mean] as uPlot.AlignedData;
  }

  private scaleY(): [number, number] {
    const { column, limits, from, to } = this.picture;
    let [low, high] = [Infinity, -Infinity];
    column.time.forEach((time, at) => {
      if (time < from || time > to) return;
      const [least, most] = [column.min[at], column.max[at]];
      if (least !== null && least !== undefined) low = Math.min(low, least);
      if (most !== null && most !== undefined) high = Math.max(high, most);
    });
    if (low > high) return [0, 1];
    const reach = high - low || Math.abs(high) || 1;
    // A limit is shown where it is near; one far off would flatten the signal.
    for (const { value } of limits) {
      if (value > high && value - high < reach) high = value;
      if (value < low && low - value < reach) low = value;
    }
    const room = (high - low || Math.abs(high) || 1) * 0.08;
    return [low - room, high + room];
  }

  private options(sync: string): uPlot.Options {
    const { look, zone } = this.picture;
    const axis = { stroke: look.text, font: look.font, grid: { stroke: look.grid, width: 1 }, ticks: { stroke: look.grid, width: 1, size: 4 } };
    return {
      width: Math.max(200, this.host.clientWidth),
      height: HEIGHT,
      tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), zone),
      cursor: { sync: { key: sync }, drag: { x: true, y: false, setScale: false }, points: { show: false } },
      select: { show: true, left: 0, top: 0, width: 0, height: 0 },
      legend: { show: false },
      scales: {
        x: { time: true, range: () => [this.picture.from, this.picture.to] },
        y: { range: () => this.scaleY() },
      },
      axes: [{ ...axis, space: 80, values: AXIS_TIMES }, { ...axis, size: 56 }],
      series: [{}, { show: true, stroke: "transparent", width: 0, points: { show: false } }],
      hooks: {
        drawClear: [(plot) => this.ground(plot)],
        draw: [(plot) => this.signal(plot)],
        setSelect: [(plot) => this.selected(plot)],
        setCursor: [(plot) => this.picture.cursor(plot.cursor.idx ?? null)],
      },
    };
  }

  private selected(plot: uPlot): void {
    const { left, width } = plot.select;
    if (width < 4) return;
    const [from, to] = [plot.posToVal(left, "x"), plot.posToVal(left + width, "x")];
    plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
    this.picture.zoom(from, to);
  }

  /** Hatched where nothing was heard; strips of alerts along the head. */
  private ground(plot: uPlot): void {
    const { ctx, bbox } = plot;
    const { look, column, from, to, now, spans } = this.picture;
    const ratio = devicePixelRatio;
    ctx.save();
    for (const gap of gaps(column, Math.min(now, to))) {
      const left = Math.max(bbox.left, plot.valToPos(Math.max(gap.from, from), "x", true));
      const right = Math.min(bbox.left + bbox.width, plot.valToPos(Math.min(gap.to, to), "x", true));
      if (right - left < 1) continue;
      ctx.save();
      ctx.beginPath();
      ctx.rect(left, bbox.top, right - left, bbox.height);
      ctx.clip();
      ctx.strokeStyle = look.hatch;
      ctx.lineWidth = ratio;
      ctx.beginPath();
      for (let x = left - bbox.height; x < right; x += 8 * ratio) {
        ctx.moveTo(x, bbox.top + bbox.height);
        ctx.lineTo(x + bbox.height, bbox.top);
      }
      ctx.stroke();
      ctx.restore();
    }
    for (const span of spans) {
      const left = Math.max(bbox.left, plot.valToPos(span.from, "x", true));
      const right = Math.min(bbox.left + bbox.width, plot.valToPos(span.to, "x", true));
      if (right <= left) continue;
      ctx.fillStyle = span.color;
      ctx.fillRect(left, bbox.top, Math.max(2, right - left), 5 * ratio);
    }
    ctx.restore();
  }

  private signal(plot: uPlot): void {
    const { ctx, bbox } = plot;
    const { column, look, limits } = this.picture;
    const ratio = devicePixelRatio;
    const x = (at: number) => plot.valToPos(column.time[at]!, "x", true);
    const y = (value: number) => plot.valToPos(value, "y", true);
    ctx.save();
    ctx.beginPath();
    ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
    ctx.clip();
    const all = runs(column);
    ctx.fillStyle = look.band;
    if (column.buckets) {
      for (const [from, to] of all) {
        ctx.beginPath();
        for (let at = from; at <= to; at += 1) ctx.lineTo(x(at), y(column.max[at] ?? column.mean[at]!));
        for (let at = to; at >= from; at -= 1) ctx.lineTo(x(at), y(column.min[at] ?? column.mean[at]!));
        ctx.closePath();
        ctx.fill();
      }
    }
    ctx.strokeStyle = look.ink;
    ctx.lineWidth = 1.5 * ratio;
    for (const [from, to] of all) {
      if (from === to) {
        // A lone point has no line; a bucket alone still has its reach.
        ctx.fillStyle = look.ink;
        ctx.beginPath();
        ctx.arc(x(from), y(column.mean[from]!), 2 * ratio, 0, 2 * Math.PI);
        ctx.fill();
        continue;
      }
      for (let at = from + 1; at <= to; at += 1) {
        ctx.setLineDash(column.quality[at] === "good" ? [] : [2 * ratio, 3 * ratio]);
        ctx.beginPath();
        ctx.moveTo(x(at - 1), y(column.mean[at - 1]!));
        ctx.lineTo(x(at), y(column.mean[at]!));
        ctx.stroke();
      }
    }
    ctx.setLineDash([]);
    this.specials(plot, x, y);
    for (const { value, name } of limits) {
      const place = y(value);
      if (place < bbox.top || place > bbox.top + bbox.height) continue;
      ctx.strokeStyle = look.limit;
      ctx.lineWidth = ratio;
      ctx.setLineDash([6 * ratio, 4 * ratio]);
      ctx.beginPath();
      ctx.moveTo(bbox.left, place);
      ctx.lineTo(bbox.left + bbox.width, place);
      ctx.stroke();
      ctx.setLineDash([]);
      ctx.fillStyle = look.text;
      ctx.font = look.font.replace(/^(\d+)px/, (_, size: string) => `${Number(size) * ratio}px`);
      ctx.textAlign = "left";
      ctx.fillText(name, bbox.left + 4 * ratio, place - 4 * ratio);
    }
    ctx.restore();
  }

  private specials(plot: uPlot, x: (at: number) => number, y: (value: number) => number): void {
    const { ctx, bbox } = plot;
    const { column, look } = this.picture;
    const ratio = devicePixelRatio;
    const foot = bbox.top + bbox.height - 6 * ratio;
    ctx.strokeStyle = look.ink;
    ctx.lineWidth = 1.2 * ratio;
    for (let at = 0; at < column.time.length; at += 1) {
      if (column.late[at] && column.mean[at] !== null) {
        ctx.beginPath();
        ctx.arc(x(at), y(column.mean[at]!), 3.5 * ratio, 0, 2 * Math.PI);
        ctx.stroke();
      }
      if (column.quality[at] === "bad") {
        const [left, size] = [x(at), 3 * ratio];
        ctx.beginPath();
        ctx.moveTo(left - size, foot - size);
        ctx.lineTo(left + size, foot + size);
        ctx.moveTo(left - size, foot + size);
        ctx.lineTo(left + size, foot - size);
        ctx.stroke();
      }
    }
  }
}

const MINUTE = 60;
const HOUR = 3_600;
const DAY = 86_400;
const YEAR = 365 * DAY;
/** Steps of uPlot's time axis with 24 hours and the day before the month: [step, text, then at a new year, month, day …]. */
const AXIS_TIMES: uPlot.Axis.Values = [
  [YEAR, "{YYYY}", null, null, null, null, null, null, 1],
  [28 * DAY, "{MMM}", "\n{YYYY}", null, null, null, null, null, 1],
  [DAY, "{D} {MMM}", "\n{YYYY}", null, null, null, null, null, 1],
  [HOUR, "{HH}:{mm}", "\n{D} {MMM} {YYYY}", null, "\n{D} {MMM}", null, null, null, 1],
  [MINUTE, "{HH}:{mm}", "\n{D} {MMM} {YYYY}", null, "\n{D} {MMM}", null, null, null, 1],
  [1, "{HH}:{mm}:{ss}", "\n{D} {MMM} {YYYY}", null, "\n{D} {MMM}", null, null, null, 1],
];

const INKS = ["--ink-a", "--ink-b", "--ink-c", "--ink-d"];
const DASHES = [[], [8, 4], [2, 3], [10, 3, 2, 3]];

/** Lines over one x, for the answer of a query; what is returned takes them away again. */
export function plotLines(host: HTMLElement, series: { name: string; x: number[]; y: number[] }[], time: boolean, zone: string): () => void {
  const style = getComputedStyle(document.documentElement);
  const token = (name: string) => style.getPropertyValue(name).trim();
  const x = [...new Set(series.flatMap((one) => one.x))].sort((a, b) => a - b);
  const at = new Map(x.map((value, index) => [value, index]));
  const columns = series.map((one) => {
    const column: (number | null | undefined)[] = new Array<undefined>(x.length).fill(undefined);
    one.x.forEach((value, index) => {
      column[at.get(value)!] = one.y[index];
    });
    return column;
  });
  const axis = { stroke: token("--ink2"), font: "12px system-ui, sans-serif", grid: { stroke: `${token("--line")}80`, width: 1 } };
  const plot = new uPlot({
    width: Math.max(200, host.clientWidth), height: 300, legend: { show: false },
    tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), zone),
    scales: { x: { time } },
    axes: [{ ...axis, ...(time ? { values: AXIS_TIMES } : {}) }, { ...axis, size: 64 }],
    series: [{}, ...series.map((one, index) => ({
      label: one.name, stroke: token(INKS[index] ?? "--ink-a"), width: 1.5, dash: DASHES[index] ?? [], points: { show: one.x.length < 60 },
    }))],
  }, [x, ...columns] as uPlot.AlignedData, host);
  const watch = new ResizeObserver(() => plot.setSize({ width: Math.max(200, host.clientWidth), height: 300 }));
  watch.observe(host);
  return () => {
    watch.disconnect();
    plot.destroy();
  };
}
