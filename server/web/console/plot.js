// Plots of what the server did in the last minutes.
import { h } from './dom.js';

const SPAN = 60; // seconds that a plot shows at least

const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

/** plot({title, unit, series: [{label, color}], format, max}): {element, set(data), destroy()}. data is uPlot's. */
export function plot({ title, series, format, max }) {
  const now = h('dl', { class: 'now' });
  const box = h('div', { class: 'canvas', role: 'img', 'aria-label': `${title}, the last minutes as a plot` });
  const element = h('figure', { class: 'card plot' }, h('figcaption', {}, h('h2', {}, title), now), box);
  let chart = null;
  let data = [[], ...series.map(() => [])];

  function draw() {
    chart?.destroy();
    const width = Math.max(box.clientWidth, 120);
    const axis = { stroke: css('--dim'), grid: { stroke: css('--line'), width: 1 }, ticks: { show: false }, font: `11px ${css('--sans')}` };
    chart = new window.uPlot({
      width, height: 130, legend: { show: false }, cursor: { y: false, drag: { setScale: false } }, padding: [8, 26, 0, 0],
      scales: { x: { range: (_, lo, hi) => [Math.min(lo, hi - SPAN), hi] }, y: { range: (_, lo, hi) => [0, max ?? hi > 0 ? hi * 1.1 : 1] } },
      axes: [{ ...axis, size: 26, space: 70, values: (u, ts) => ts.map((t) => (u.data[0].length ? new Date(t * 1000).toTimeString().slice(0, 8) : '')) },
        { ...axis, size: 52, space: 30, values: (_, vs) => vs.map(format) }],
      series: [{}, ...series.map((s) => ({ label: s.label, stroke: css(s.color), width: 1.5, points: { show: (u) => u.data[0].length < 5, size: 4 }, fill: s.fill ? `${css(s.color)}22` : undefined }))],
    }, data, box);
  }
  const resized = new ResizeObserver(() => { if (chart && box.clientWidth !== chart.width) chart.setSize({ width: Math.max(box.clientWidth, 120), height: 130 }); });
  resized.observe(box);
  window.addEventListener('hal9:theme', draw);
  return {
    element,
    set(next) {
      data = next;
      if (chart) chart.setData(data); else draw();
      now.replaceChildren(...series.map((s, i) => h('div', {}, h('dt', {}, h('i', { class: s.color.slice(2), 'aria-hidden': 'true' }), s.label), h('dd', {}, data[i + 1].at(-1) == null ? '–' : format(data[i + 1].at(-1))))));
    },
    destroy() { resized.disconnect(); window.removeEventListener('hal9:theme', draw); chart?.destroy(); },
  };
}
