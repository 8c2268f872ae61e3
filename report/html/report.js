// The report reads without this script. It shows original lines at once instead of after a delay, on keyboard focus
// too, and zooms the time line.
'use strict';
(() => {
  const SVG = 'http://www.w3.org/2000/svg';
  document.documentElement.classList.add('js');

  // Tips: what stands in <title> elements.
  const tip = document.getElementById('tip');
  const tips = new WeakMap();
  for (const title of document.querySelectorAll('svg title')) {
    tips.set(title.parentNode, title.textContent);
    title.remove();
  }
  const tipped = (node) => {
    for (; node && node.nodeType === 1; node = node.parentNode) if (tips.has(node)) return node;
    return null;
  };
  const showTip = (node, x, y) => {
    tip.textContent = tips.get(node);
    tip.hidden = false;
    const box = tip.getBoundingClientRect();
    const left = Math.max(8, Math.min(x + 14, innerWidth - box.width - 8));
    const below = y + 18 + box.height < innerHeight;
    tip.style.left = left + 'px';
    tip.style.top = Math.max(8, below ? y + 18 : y - box.height - 12) + 'px';
  };
  const hideTip = () => { tip.hidden = true; };
  let marked = [];
  const mark = (event) => {
    for (const node of marked) node.classList.remove('now');
    marked = event === null ? [] : [...document.querySelectorAll('.originals [data-event="' + event + '"]')];
    for (const node of marked) node.classList.add('now');
  };
  document.addEventListener('mouseover', (e) => {
    const node = tipped(e.target);
    if (!node) return hideTip();
    showTip(node, e.clientX, e.clientY);
    mark(node.dataset.event || null);
  });
  const tipAtFocus = () => {
    const node = document.activeElement;
    if (!tips.has(node)) return hideTip();
    const box = node.getBoundingClientRect();
    showTip(node, box.left + 40, box.bottom - 12);
    mark(node.dataset.event || null);
  };
  document.addEventListener('focusin', tipAtFocus);
  document.addEventListener('focusout', hideTip);
  // Focus may scroll: then the tip goes along.
  document.addEventListener('scroll', () => { if (!tip.hidden) tipAtFocus(); }, { passive: true });
  document.addEventListener('keydown', (e) => {
    if (e.key === 'Escape') hideTip();
    const here = e.target.closest ? e.target.closest('.ev') : null;
    if (!here || (e.key !== 'ArrowDown' && e.key !== 'ArrowUp')) return;
    const all = [...here.parentNode.querySelectorAll('.ev')];
    const next = all[all.indexOf(here) + (e.key === 'ArrowDown' ? 1 : -1)];
    if (next) next.focus();
    e.preventDefault();
  });
  // On paper nothing can be opened.
  addEventListener('beforeprint', () => { for (const d of document.querySelectorAll('details')) d.open = true; });

  // The time line.
  const plot = document.querySelector('.plot');
  if (!plot) return;
  const begin = BigInt(plot.dataset.begin);
  const length = Number(plot.dataset.length);
  const ticks = plot.dataset.unit === 'ticks';
  const items = [...plot.querySelectorAll('[data-a]')].map((node) => ({
    node, a: Number(node.dataset.a), b: Number(node.dataset.b || node.dataset.a), bar: node.tagName === 'rect',
  }));
  const stops = items.filter((item) => item.bar && item.node.classList.contains('w') && !item.node.classList.contains('benign'));
  if (stops.length === 0) stops.push(...items.filter((item) => item.bar && item.node.classList.contains('w')));
  stops.sort((one, other) => one.a - other.a);
  const axis = plot.querySelector('.axis');
  const output = document.querySelector('.tools .view');
  const height = Number(plot.getAttribute('height'));
  const least = Math.min(length, ticks ? 100 : 1000);
  let from = 0;
  let to = length;

  const timeText = (at, step) => {
    const time = begin + BigInt(Math.round(at));
    if (ticks) return time.toLocaleString('en');
    let decimals = 0;
    for (let unit = 1e9; unit > step && decimals < 9; unit /= 10) ++decimals;
    const whole = time / 1000000000n;
    const part = String(time % 1000000000n).padStart(9, '0').slice(0, decimals);
    return whole + (part ? '.' + part : '') + ' s';
  };
  const spanText = (span) => {
    if (ticks) return Math.round(span).toLocaleString('en') + ' ticks';
    for (const [unit, name] of [[1e9, 's'], [1e6, 'ms'], [1e3, 'us']]) {
      if (span >= unit) return (span / unit).toPrecision(3) + ' ' + name;
    }
    return Math.round(span) + ' ns';
  };
  const drawAxis = () => {
    const room = Math.max(2, plot.clientWidth / 150);
    let step = 1;
    for (let i = 0; (to - from) / step > room; ++i) step *= i % 3 === 1 ? 2.5 : 2;
    const first = Number((begin + BigInt(Math.ceil(from)) + BigInt(step) - 1n) / BigInt(step) * BigInt(step) - begin);
    axis.textContent = '';
    for (let at = first; at < to; at += step) {
      const x = (at - from) / (to - from) * 100 + '%';
      const line = document.createElementNS(SVG, 'line');
      for (const [name, value] of [['x1', x], ['x2', x], ['y1', 22], ['y2', height]]) line.setAttribute(name, value);
      axis.append(line);
      const text = document.createElementNS(SVG, 'text');
      text.textContent = timeText(at, step);
      // Where its text would reach over the edge, only the line stands.
      const place = (at - from) / (to - from) * plot.clientWidth;
      const half = text.textContent.length * 3.6;
      if (place < half || place > plot.clientWidth - half) continue;
      text.setAttribute('x', x);
      text.setAttribute('y', 14);
      axis.append(text);
    }
  };
  const draw = () => {
    const span = to - from;
    for (const item of items) {
      const seen = item.b >= from - span && item.a <= to + span;
      item.node.style.display = seen ? '' : 'none';
      if (!seen) continue;
      // What reaches far outside is cut: coordinates stay small at any zoom.
      const a = Math.max(item.a, from - span);
      const b = Math.min(item.b, to + span);
      item.node.setAttribute('x', (a - from) / span * 100 + '%');
      if (item.bar) item.node.setAttribute('width', Math.max(0, b - a) / span * 100 + '%');
    }
    drawAxis();
    output.textContent = spanText(span) + ' from ' + timeText(from, span / 100);
  };
  let asked = false;
  const view = (a, b) => {
    const span = Math.max(least, Math.min(length, b - a));
    const was = from + ' ' + to;
    from = Math.max(0, Math.min(length - span, a));
    to = from + span;
    if (was === from + ' ' + to) return false;
    if (!asked) requestAnimationFrame(() => { asked = false; draw(); });
    return asked = true;
  };
  const zoom = (factor, place) => {
    const at = from + (to - from) * place;
    return view(at - (at - from) * factor, at + (to - at) * factor);
  };
  const pan = (share) => view(from + (to - from) * share, to + (to - from) * share);
  const actions = {
    in: () => zoom(0.5, 0.5), out: () => zoom(2, 0.5), left: () => pan(-0.25), right: () => pan(0.25), all: () => view(0, length),
  };
  for (const button of document.querySelectorAll('.tools button')) button.addEventListener('click', () => actions[button.dataset.do]());

  let stop = -1;
  const step = (way) => {
    if (stops.length === 0) return;
    if (stop >= 0) stops[stop].node.classList.remove('now');
    // At first, from what is in view.
    else stop = Math.max(0, stops.findIndex((item) => item.b >= from)) - (way > 0 ? 1 : 0);
    stop = (stop + way + stops.length) % stops.length;
    const item = stops[stop];
    item.node.classList.add('now');
    if (item.a < from || item.b > to) view(item.a - (to - from) / 3, item.a + (to - from) * 2 / 3);
    requestAnimationFrame(() => {
      draw();
      const box = item.node.getBoundingClientRect();
      showTip(item.node, Math.max(0, box.left), box.bottom);
    });
  };
  const keys = {
    '+': actions.in, '=': actions.in, '-': actions.out, ArrowLeft: actions.left, ArrowRight: actions.right, '0': actions.all,
    Home: () => view(0, to - from), End: () => view(length - (to - from), length), n: () => step(1), p: () => step(-1),
  };
  plot.addEventListener('keydown', (e) => {
    if (e.ctrlKey || e.metaKey || e.altKey || !keys[e.key]) return;
    keys[e.key]();
    e.preventDefault();
  });
  // Where nothing is left to zoom, the wheel scrolls the page.
  plot.addEventListener('wheel', (e) => {
    const box = plot.getBoundingClientRect();
    const sideways = Math.abs(e.deltaX) > Math.abs(e.deltaY) || e.shiftKey;
    const moved = sideways ? pan((e.deltaX || e.deltaY) / box.width)
                           : zoom(Math.exp(Math.max(-1, Math.min(1, e.deltaY / 300))), (e.clientX - box.left) / box.width);
    if (moved) e.preventDefault();
  }, { passive: false });
  let grabbed = null;
  plot.addEventListener('pointerdown', (e) => {
    if (e.button !== 0) return;
    grabbed = { x: e.clientX, from, to };
    plot.setPointerCapture(e.pointerId);
    plot.classList.add('drag');
  });
  plot.addEventListener('pointermove', (e) => {
    if (!grabbed) return;
    const by = (grabbed.x - e.clientX) / plot.getBoundingClientRect().width * (grabbed.to - grabbed.from);
    view(grabbed.from + by, grabbed.to + by);
  });
  for (const end of ['pointerup', 'pointercancel']) {
    plot.addEventListener(end, () => { grabbed = null; plot.classList.remove('drag'); });
  }
  for (const button of document.querySelectorAll('.show')) {
    button.addEventListener('click', () => {
      const a = Number(BigInt(button.dataset.from) - begin);
      const b = Number(BigInt(button.dataset.to) - begin);
      const margin = Math.max((b - a) / 4, least);
      view(a - margin, b + margin);
      document.getElementById('overview').scrollIntoView();
      plot.focus({ preventScroll: true });
    });
  }
  addEventListener('resize', draw);
  draw();
})();
