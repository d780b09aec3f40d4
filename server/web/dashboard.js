/*
 * dashboard.js - shows what /api/v1/events says, once a second.
 *
 *     events ─► history (two minutes, per path) ─► overview | one session
 *
 * All text goes into the page as text, never as markup: much of it was chosen by a peer. Lists are
 * updated in place, so that focus and the pointer stay where they are.
 */
'use strict';

const API = '/api/v1';
const HISTORY_S = 120;
const REACHES_S = [30, 60, HISTORY_S];
const PAGE = 100;
const RETRY_MAX_S = 8;
const SERIES = 8; /* colours; a path has that of its ID */

const $ = (id) => document.getElementById(id);

/* ---- figures as text ---- */

const NONE = '–';
const EMPTY = [NONE, ''];

function fixed(x) {
  const size = Math.abs(x);
  return x.toFixed(size >= 99.95 || size === 0 ? 0 : size >= 9.995 ? 1 : 2);
}

function scaled(x, step, units) {
  let i = 0;
  while (i < units.length - 1 && Math.abs(x) >= step * 0.9995) {
    x /= step;
    i++;
  }
  return [i === 0 ? x.toFixed(0) : fixed(x), units[i]];
}

const rate = (bps) => bps == null ? EMPTY : bps < 1000 ? [fixed(bps / 1000), 'kbit/s']
  : scaled(bps, 1000, ['bit/s', 'kbit/s', 'Mbit/s', 'Gbit/s']);
const bytes = (n) => n == null ? EMPTY : scaled(n, 1024, ['B', 'KiB', 'MiB', 'GiB', 'TiB']);
const ms = (x) => x == null ? EMPTY : x >= 10000 ? [fixed(x / 1000), 's'] : [x >= 100 ? x.toFixed(0) : x.toFixed(1), 'ms'];
const percent = (x) => x == null ? EMPTY
  : [x < 0.00005 || x === 1 ? (x * 100).toFixed(0) : x < 0.1 ? (x * 100).toFixed(2) : (x * 100).toFixed(1), '%'];
const count = (n) => n == null ? NONE : n.toLocaleString('en').replace(/,/g, '\u202f');
const plural = (n, one, many) => `${count(n)} ${n === 1 ? one : many}`;

function duration(s) {
  s = Math.floor(s);
  const d = Math.floor(s / 86400), h = Math.floor(s / 3600) % 24, m = Math.floor(s / 60) % 60;
  return d ? `${d} d ${h} h` : h ? `${h} h ${m} min` : m ? `${m} min ${s % 60} s` : `${s} s`;
}

/* ---- the page's elements ---- */

function el(tag, className, text) {
  const e = document.createElement(tag);
  if (className)
    e.className = className;
  if (text != null)
    e.textContent = text;
  return e;
}

function svg(tag, attributes) {
  const e = document.createElementNS('http://www.w3.org/2000/svg', tag);
  for (const [key, value] of Object.entries(attributes || {}))
    e.setAttribute(key, value);
  return e;
}

function put(e, text) {
  if (e.textContent !== text)
    e.textContent = text;
}

function put_class(e, name) {
  if (e.getAttribute('class') !== name)
    e.setAttribute('class', name);
}

/* "12.3" and its unit, smaller. */
function figure(e, [value, unit]) {
  if (!e.firstElementChild)
    e.replaceChildren(el('span'), el('small'));
  put(e.firstElementChild, value);
  put(e.lastElementChild, unit);
}

/* The children of `box` become `items`, in order; each is made once and updated from then on. */
function keyed(box, items, key, make, update) {
  const old = new Map([...box.children].map((e) => [e.dataset.key, e]));
  let at = box.firstElementChild;
  for (const item of items) {
    const k = String(key(item));
    let e = old.get(k);
    old.delete(k);
    if (!e) {
      e = make(item);
      e.dataset.key = k;
    }
    if (e !== at)
      box.insertBefore(e, at);
    else
      at = at.nextElementSibling;
    update(e, item);
  }
  for (const e of old.values())
    e.remove();
}

const from = (template) => () => $(template).content.firstElementChild.cloneNode(true);

function pairs(dl, list) {
  keyed(dl, list, ([name]) => name, ([name]) => {
    const box = el('div');
    box.append(el('dt', '', name), el('dd'));
    return box;
  }, (box, [, value]) => figure(box.lastElementChild, Array.isArray(value) ? value : [value, '']));
}

function pill(e, text, kind) {
  put(e, text);
  put_class(e, 'pill ' + kind);
}

const series_class = (id) => 's' + id % SERIES;

/* ---- history ---- */

const history = new Map(); /* "total/rate", "SESSION/PATH/rate" ... to [[up_s, value or null], ...] */

function remember(name, t, value) {
  const list = history.get(name) || [], last = list.length ? list[list.length - 1][0] : -Infinity;
  history.set(name, list);
  if (last >= t)
    return;
  if (t - last > 3)
    list.push([t - 0.001, null]); /* a gap in what is known is one in the line */
  list.push([t, value]);
  while (list[0][0] < t - HISTORY_S - 2)
    list.shift();
}

function remember_session(s, t) {
  for (const p of s.paths) {
    const values = p.state === 'abandoned' ? {} : { rate: p.sending_bps, rtt: p.rtt_ms, loss: p.loss };
    for (const name of ['rate', 'rtt', 'loss'])
      remember(`${s.id}/${p.id}/${name}`, t, values[name]);
  }
}

function forget(t) {
  for (const [name, list] of history)
    if (list[list.length - 1][0] < t - HISTORY_S)
      history.delete(name);
}

/* ---- plots ---- */

/* How far back to show: as far as something is known. */
function reach(lists, now) {
  const first = Math.min(...lists.map((list) => list.length ? list[0][0] : now));
  return REACHES_S.find((s) => now - first <= s) || HISTORY_S;
}

function nice_step(span, n) {
  const raw = span / n, power = 10 ** Math.floor(Math.log10(raw)), m = raw / power;
  return (m <= 1 ? 1 : m <= 2 ? 2 : m <= 5 ? 5 : 10) * power;
}

class Plot {
  /* `show`: value to [text, unit]; `least`: the axis reaches at least so far. */
  constructor(box, title, what, show, least, most) {
    Object.assign(this, { title, what, show, least, most, at: null, lines: [], now: 0, span: HISTORY_S });
    this.name = el('b', '', title);
    this.when = el('span', 'when');
    this.caption = el('figcaption');
    this.svg = svg('svg', { tabindex: 0, role: 'img' });
    box.replaceChildren(this.caption, this.svg);
    new ResizeObserver(() => this.draw()).observe(this.svg);
    this.svg.addEventListener('pointermove', (e) => this.point(e));
    this.svg.addEventListener('pointerdown', (e) => this.point(e));
    this.svg.addEventListener('pointerleave', () => this.point(null));
    this.svg.addEventListener('blur', () => this.point(null));
    this.svg.addEventListener('keydown', (e) => this.key(e));
  }

  /* `lines`: [{id, points}]; `now`: the right edge. */
  update(lines, now) {
    this.lines = lines;
    this.now = now;
    this.span = reach(lines.map((line) => line.points), now);
    this.draw();
  }

  point(e) {
    const box = this.svg.getBoundingClientRect();
    this.at = e ? (this.left + this.wide - (e.clientX - box.left)) / this.wide * this.span : null;
    if (this.at != null && (this.at < 0 || this.at > this.span))
      this.at = null;
    this.draw();
  }

  key(e) {
    const step = { ArrowLeft: 5, ArrowRight: -5 }[e.key];
    if (e.key === 'Escape')
      this.at = null;
    else if (!step)
      return;
    else
      this.at = Math.min(this.span, Math.max(0, (this.at ?? (step > 0 ? -5 : 5)) + step));
    e.preventDefault();
    this.draw();
  }

  /* Of a line at `ago` seconds before now; null: not known. */
  static value(line, t) {
    let best = [t + 1.5, null];
    for (const point of line.points)
      if (Math.abs(point[0] - t) < Math.abs(best[0] - t))
        best = point;
    return best[1];
  }

  draw() {
    const width = this.svg.clientWidth, height = this.svg.clientHeight;
    if (!width || !height)
      return;
    let top = this.least;
    for (const line of this.lines)
      for (const [, v] of line.points)
        if (v != null && v > top)
          top = v;
    const step = nice_step(top, height > 180 ? 4 : 3);
    top = Math.min(Math.ceil(top / step - 0.001) * step, this.most || Infinity);
    this.left = 64;
    this.wide = width - this.left - 16;
    const bottom = height - 20, x = (t) => this.left + this.wide * (1 - (this.now - t) / this.span);
    const y = (v) => bottom - v / top * (bottom - 10);
    const parts = [];
    for (let v = 0; v <= top * 1.001; v += step) {
      parts.push(svg('line', { class: v ? 'gridline' : 'axis', x1: this.left, x2: width - 16, y1: y(v), y2: y(v) }));
      const [text, unit] = this.tick(v, top), label = svg('text', { x: this.left - 8, y: y(v) + 4, 'text-anchor': 'end' });
      label.textContent = v ? `${text} ${unit}` : '0';
      parts.push(label);
    }
    for (let ago = this.span; ago >= 0; ago -= this.span / (width < 420 ? 2 : this.span === 30 ? 3 : 4)) {
      const label = svg('text', { x: x(this.now - ago), y: height - 4, 'text-anchor': ago ? 'middle' : 'end' });
      label.textContent = ago ? `−${ago} s` : 'now';
      parts.push(label);
    }
    const tags = [];
    for (const line of this.lines)
      parts.push(this.curve(line, x, y, tags));
    parts.push(...this.spread(tags));
    parts.push(...this.cursor(x, y, bottom));
    this.svg.replaceChildren(...parts);
    this.legend();
  }

  /* All ticks in the unit of the highest. */
  tick(v, top) {
    const unit = this.show(top)[1];
    for (const [name, factor] of [['Gbit/s', 1e9], ['Mbit/s', 1e6], ['kbit/s', 1e3], ['%', 0.01], ['s', 1000]])
      if (unit === name)
        return [String(+(v / factor).toPrecision(3)), unit];
    return [String(+v.toPrecision(3)), unit];
  }

  curve(line, x, y, tags) {
    let d = '', pen = false, last = null;
    for (const [t, v] of line.points) {
      if (t < this.now - this.span)
        continue;
      if (v != null) {
        d += `${pen ? 'L' : 'M'}${x(t).toFixed(1)} ${y(v).toFixed(1)}`;
        last = [t, v];
      }
      pen = v != null;
    }
    if (last && last[0] > this.now - 2)
      tags.push({ id: line.id, x: x(last[0]) + 5, y: y(last[1]) + 4 });
    return svg('path', { class: 'series ' + series_class(line.id), d });
  }

  /* Each line's name at its end, as colour is not all there is: none upon another. */
  spread(tags) {
    tags.sort((a, b) => b.y - a.y);
    for (let i = 1; i < tags.length; i++)
      tags[i].y = Math.min(tags[i].y, tags[i - 1].y - 11);
    return tags.map((tag) => {
      const e = svg('text', { class: 'tag ' + series_class(tag.id), x: tag.x, y: tag.y });
      e.textContent = tag.id;
      return e;
    });
  }

  cursor(x, y, bottom) {
    if (this.at == null)
      return [];
    const t = this.now - this.at;
    const parts = [svg('line', { class: 'cursor', x1: x(t), x2: x(t), y1: 6, y2: bottom })];
    for (const line of this.lines) {
      const v = Plot.value(line, t);
      if (v != null)
        parts.push(svg('circle', { class: 'dot ' + series_class(line.id), cx: x(t), cy: y(v), r: 4 }));
    }
    return parts;
  }

  legend() {
    const t = this.now - (this.at ?? 0), said = [];
    const keys = this.lines.map((line) => {
      const key = el('span', 'key ' + series_class(line.id));
      const [text, unit] = this.show(Plot.value(line, t));
      key.append(el('i', 'swatch'), `Path ${line.id}`, el('span', '', unit ? `${text} ${unit}` : text));
      said.push(`path ${line.id} ${text} ${unit}`);
      return key;
    });
    this.caption.replaceChildren(this.name, ...keys, this.when);
    put(this.when, this.at == null ? this.what : `${Math.round(this.at)} s ago`);
    this.svg.setAttribute('aria-label', `${this.title}, ${this.what}: ${said.join(', ') || 'nothing yet'}`);
  }
}

function spark(box, points, now) {
  const [area, line] = box.children;
  const known = points.filter(([, v]) => v != null), span = reach([points], now);
  const x = (t) => ((1 - (now - t) / span) * 100).toFixed(2);
  const low = Math.min(...known.map(([, v]) => v)), high = Math.max(...known.map(([, v]) => v));
  if (known.length < 2)
    return;
  /* a tenth of the value is at least half the height: noise does not look like a drama */
  const height = Math.max(high - low, Math.abs(high) * 0.2, 1e-9), middle = (high + low) / 2;
  box.setAttribute('viewBox', '0 0 100 100');
  const d = known.map(([t, v]) => `${x(t)} ${(50 - (v - middle) / height * 76).toFixed(1)}`).join('L');
  line.setAttribute('d', 'M' + d);
  area.setAttribute('d', `M${x(known[0][0])} 100L${d}L100 100Z`);
}

/* ---- state ---- */

const state = {
  token: sessionStorage.getItem('svc-token'),
  session: null, /* ID of the one shown; null: the overview */
  search: '', sort: 'id', offset: 0,
  event: null,   /* the last that came */
  gone: false,   /* the session shown has ended */
  abort: null,
  fails: 0,
  live: false,
};

const headers = () => state.token ? { Authorization: 'Bearer ' + state.token } : {};

async function call(method, path, body) {
  const options = { method, headers: headers() };
  if (body) {
    options.headers['Content-Type'] = 'application/json';
    options.body = JSON.stringify(body);
  }
  const response = await fetch(API + path, options);
  const answer = await response.json().catch(() => ({}));
  if (response.status === 401)
    lock('');
  if (!response.ok)
    throw new Error(answer.error ? answer.error.message : 'HTTP ' + response.status);
  return answer;
}

/* ---- events ---- */

function query() {
  return new URLSearchParams(state.session != null ? { session: state.session, limit: 1 }
    : { q: state.search, sort: state.sort, limit: PAGE, offset: state.offset });
}

async function read(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = '';
  for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
    text += piece.value;
    for (let end; (end = text.indexOf('\n\n')) >= 0; text = text.slice(end + 2))
      if (text.startsWith('data: '))
        take(JSON.parse(text.slice(6, end)));
  }
}

/* Ends the stream there is and begins one of what is shown now. */
async function follow() {
  if (state.abort)
    state.abort.abort();
  const abort = state.abort = new AbortController();
  while (!abort.signal.aborted) {
    try {
      const response = await fetch(`${API}/events?${query()}`, { headers: headers(), signal: abort.signal });
      if (response.status === 401) {
        lock(state.token ? 'This token is not the right one.' : '');
        return;
      }
      if (!response.ok)
        throw new Error('HTTP ' + response.status);
      await read(response);
      throw new Error('the server ended the stream');
    } catch (error) {
      if (!abort.signal.aborted)
        await wait(error, abort.signal);
    }
  }
}

async function wait(error, signal) {
  state.live = false;
  const seconds = Math.min(RETRY_MAX_S, 2 ** state.fails++);
  for (let left = seconds; left > 0 && !signal.aborted; left--) {
    banner(`No connection to the server (${error.message}). Trying again in ${left} s.`, 'bad');
    show_state();
    await new Promise((resolve) => setTimeout(resolve, 1000));
  }
}

function take(event) {
  const before = state.event, status = event.status, t = status.up_s;
  if (before && t < before.status.up_s)
    history.clear(); /* another server, or the same started anew */
  state.event = event;
  state.fails = 0;
  state.live = true;
  const dropped = (e) => e.status.units.dropped_broken + e.status.units.dropped_rate + e.status.units.dropped_queue +
    e.status.units.dropped_full + e.status.units.expired;
  const offered = before ? status.units.offered - before.status.units.offered : 0;
  status.missed = offered > 0 ? Math.max(0, dropped(event) - dropped(before)) / offered : null;
  remember('total/sessions', t, status.sessions);
  remember('total/rate', t, status.sending_bps);
  remember('total/loss', t, status.loss);
  remember('total/backlog', t, status.backlog_bytes);
  remember('total/missed', t, status.missed);
  for (const s of event.list.sessions)
    if (!event.session || s.id !== event.session.id)
      remember_session(s, t);
  if (event.session)
    remember_session(event.session, t);
  forget(t);
  render();
}

/* ---- the frame ---- */

function banner(text, kind) {
  put($('banner'), text);
  put_class($('banner'), 'banner ' + kind);
  $('banner').hidden = !text;
}

function show_state() {
  const status = state.event && state.event.status;
  document.body.classList.toggle('stale', !state.live && !!state.event);
  if (!state.live)
    pill($('state'), state.event || state.fails ? 'no connection' : 'connecting', state.fails ? 'bad' : '');
  else if (status.draining)
    pill($('state'), 'draining', 'warn');
  else
    pill($('state'), status.ready ? 'live' : 'not ready', status.ready ? 'good' : 'warn');
  if (!status)
    return;
  $('about').replaceChildren(el('span', 'version', `version ${status.version} · ${plural(status.workers, 'worker', 'workers')} · `),
    `up ${duration(status.up_s)}`);
}

function show_section(name) {
  for (const id of ['overview', 'session', 'locked'])
    $(id).hidden = id !== name;
  $('menu').hidden = name === 'locked';
}

function lock(why) {
  if (state.abort)
    state.abort.abort();
  state.live = false;
  show_section('locked');
  pill($('state'), 'locked', '');
  banner('', '');
  put($('wrong'), why);
  $('token').focus();
}

function render() {
  const status = state.event.status;
  banner(status.draining ? 'The server is draining: it takes no new viewers, and ends when all have gone.' : '', '');
  show_state();
  if (state.session == null) {
    show_section('overview');
    show_overview();
  } else {
    show_section('session');
    show_session();
  }
}

/* ---- overview ---- */

function show_tiles(status) {
  const tiles = [
    ['Sending', rate(status.sending_bps), `of ${rate(status.capacity_bps).join(' ')} that the paths carry`, 'rate'],
    ['Sessions', [count(status.sessions), ''], `${count(status.watching)} watch, ${plural(status.publishing, 'publishes', 'publish')}`, 'sessions'],
    ['Loss', percent(status.loss), 'of packets, on all paths', 'loss'],
    ['Backlog', bytes(status.backlog_bytes), 'waits to be sent', 'backlog'],
    ['Left out', percent(status.missed), 'of units, late ones too', 'missed'],
  ];
  keyed($('tiles'), tiles, (t) => t[0], from('t-tile'), (e, [label, [value, unit], sub, name]) => {
    put(e.querySelector('.label'), label);
    put(e.querySelector('b'), value);
    put(e.querySelector('.unit'), unit);
    put(e.querySelector('.sub'), sub);
    spark(e.querySelector('svg'), history.get('total/' + name) || [], status.up_s);
  });
}

const runs = (source) => source.state === 'running' || source.state === 'starting';
const SOURCE_KIND = { running: 'good', starting: 'warn', failed: 'bad' };

function make_source(s) {
  const e = from('t-source')();
  e.querySelector('.toggle').addEventListener('click', () => toggle_source(e.source));
  e.querySelector('.refresh').addEventListener('click', () => refresh_source(e.source));
  put(e.querySelector('.name'), s.namespace);
  return e;
}

function update_encoder(e, enc) {
  const load = e.querySelector('.encoder'), layers = e.querySelector('.layers'), rates = enc ? enc.layer_bps : [];
  load.firstElementChild.hidden = !enc;
  put(load.lastElementChild, enc ? `load ${percent(enc.load).join(' ')}, ${enc.fps == null ? NONE : fixed(enc.fps)} pictures/s, speed ${enc.speed}` : '');
  if (enc)
    load.querySelector('.fill').style.width = Math.min(1, enc.load) * 100 + '%';
  load.classList.toggle('high', !!enc && enc.load > 0.9);
  const unit = rate(Math.max(0, ...rates))[1], scale = { 'kbit/s': 1e3, 'Mbit/s': 1e6, 'Gbit/s': 1e9 }[unit] || 1;
  const text = rates.map((x, i) => `S${i} ${fixed((x || 0) / scale)}`).join(' · ') + ' ' + unit;
  const box = layers.firstElementChild;
  box.hidden = !rates.some((x) => x);
  box.setAttribute('aria-label', text);
  put(layers.lastElementChild, box.hidden ? '' : text);
  keyed(box, rates.map((x, i) => [i, x || 0]), ([i]) => i, ([i]) => el('i', 'layer-' + i),
    (bar, [, x]) => { bar.style.flexGrow = x; });
}

function update_source(e, s) {
  e.source = s;
  put(e.querySelector('.what'), s.kind);
  pill(e.querySelector('.pill'), s.state, SOURCE_KIND[s.state] || '');
  put(e.querySelector('.viewers'), count(s.viewers));
  figure(e.querySelector('.output'), rate(runs(s) ? s.output_bps : null));
  update_encoder(e, s.encoder);
  if (s.why)
    put(e.querySelector('.encoder small'), s.why);
  e.querySelector('.encoder').colSpan = s.why ? 3 : 1;
  e.classList.toggle('failed', !!s.why);
  put(e.querySelector('.kept'), [s.window_s && `${duration(s.window_s)} to seek in`, s.recording && `${bytes(s.recorded_bytes).join(' ')} recorded`]
    .filter(Boolean).join('\n'));
  e.querySelector('.refresh').hidden = !s.encoder;
  put(e.querySelector('.toggle'), runs(s) ? 'Stop…' : 'Start…');
  e.querySelector('.toggle').classList.toggle('danger', runs(s));
}

function steps(top, n) {
  const box = el('span', 'steps');
  for (let i = 0; i < n; i++)
    box.append(el('i', i <= top ? 'on' : ''));
  return box;
}

function update_row(e, s) {
  const link = e.querySelector('a');
  link.href = '#/session/' + s.id;
  put(link, String(s.id));
  put(e.querySelector('.addr'), s.remote);
  put(e.querySelector('small'), [s.subject, s.implementation].filter(Boolean).join(' · ') || 'unknown client');
  put(e.querySelector('.ns'), s.namespace || NONE);
  const layer = s.role === 'publishes' ? 'publishes' : s.top_layer == null ? NONE : 'S' + s.top_layer;
  const cell = e.querySelector('.layer');
  if (cell.dataset.layer !== layer) {
    cell.dataset.layer = layer;
    cell.replaceChildren(...(s.top_layer == null || s.role === 'publishes' ? [] : [steps(s.top_layer, 3)]), layer);
  }
  figure(e.querySelector('.rate'), rate(s.sending_bps));
  figure(e.querySelector('.rtt'), ms(s.rtt_ms));
  figure(e.querySelector('.loss'), percent(s.loss));
  put(e.querySelector('.age'), duration(s.age_s));
  keyed(e.querySelector('.chips'), s.paths, (p) => p.id, (p) => {
    const chip = el('span', 'chip');
    chip.append(el('i', 'swatch', p.id), el('span', 'what'));
    return chip;
  }, (chip, p) => {
    const on = p.state === 'up';
    put_class(chip, `chip ${series_class(p.id)}${on ? '' : ' off'}`);
    put(chip.lastElementChild, on ? rate(p.sending_bps).join(' ') : p.state);
    chip.title = `Path ${p.id}: ${p.state}, ${p.cc}, ${ms(p.rtt_ms).join(' ')}`;
  });
}

function make_row() {
  const e = from('t-session')();
  e.addEventListener('click', (event) => {
    if (!event.target.closest('a') && !String(getSelection()))
      e.querySelector('a').click();
  });
  return e;
}

function show_overview() {
  const { status, sources, list } = state.event;
  document.title = `${count(status.sessions)} · svc-server`;
  show_tiles(status);
  put($('sources-count'), sources.length ? `${sources.filter((s) => s.state === 'running').length} of ${sources.length} running` : '');
  keyed($('sources'), sources, (s) => s.namespace, make_source, update_source);
  $('sources-panel').hidden = sources.length === 0;
  $('sources-empty').hidden = sources.length > 0;
  keyed($('sessions'), list.sessions, (s) => s.id, make_row, update_row);
  put($('sessions-count'), state.search ? `${count(list.matched)} of ${count(list.total)}` : '');
  $('sessions-panel').hidden = list.sessions.length === 0;
  $('sessions-empty').hidden = list.sessions.length > 0;
  if (!list.sessions.length)
    show_no_sessions(list);
  for (const button of document.querySelectorAll('[data-sort]')) {
    button.parentElement.ariaSort = state.sort.replace('-', '') !== button.dataset.sort ? null
      : state.sort[0] === '-' ? 'descending' : 'ascending';
  }
  $('pager').hidden = list.matched <= PAGE;
  $('newer').disabled = state.offset === 0;
  $('older').disabled = state.offset + PAGE >= list.matched;
  put($('pages'), `${count(list.offset + 1)} to ${count(Math.min(list.offset + PAGE, list.matched))} of ${count(list.matched)}`);
}

function show_no_sessions(list) {
  const [head, text] = list.total
    ? [`Nothing matches “${state.search}”.`, 'The search looks at addresses, sources, subjects and clients.']
    : ['Nobody is here yet.', 'Watch with svc-player moqt://HOST:PORT/NAMESPACE; the session shows up here at once.'];
  $('sessions-empty').replaceChildren(el('b', '', head), text);
}

/* ---- one session ---- */

const plots = {
  rate: new Plot($('plot-rate'), 'Sending', 'by path', rate, 100000),
  rtt: new Plot($('plot-rtt'), 'Round trip', 'smoothed', ms, 10),
  loss: new Plot($('plot-loss'), 'Loss', 'of packets, each second', percent, 0.01, 1),
};

function show_session() {
  const s = state.event.session;
  state.shown = s || state.shown;
  state.gone = !s;
  document.title = `Session ${state.session} · svc-server`;
  put($('session-name'), `Session ${state.session}`);
  const last = state.shown && state.shown.id === state.session ? state.shown : null;
  $('session-gone').hidden = !state.gone;
  $('session-stop').hidden = state.gone;
  $('session-body').hidden = !last;
  $('session-facts').hidden = !last;
  pill($('session-state'), state.gone ? 'over' : s.role === 'none' ? 'connected' : s.role, state.gone ? '' : 'good');
  if (state.gone)
    $('session-gone').replaceChildren(el('b', '', last ? 'This session is over.' : `There is no session ${state.session}.`),
      last ? 'Below is the last that was seen of it.' : 'It may have ended; IDs are not used again.');
  if (last)
    show_session_body(last);
}

function show_session_body(s) {
  pairs($('session-facts'), [
    ['From', s.remote], ['Source', s.namespace || NONE], ['Client', s.implementation || 'unknown'],
    ...(s.subject ? [['Subject', s.subject]] : []),
    ['Sending', rate(s.sending_bps)], ['Paths carry', rate(s.capacity_bps)], ['Loss', percent(s.loss)],
    ['Backlog', bytes(s.backlog_bytes)], ['Sent', bytes(s.sent_bytes)], ['Sent again', bytes(s.resent_bytes)],
    ['Highest layer', s.top_layer == null ? NONE : 'S' + s.top_layer], ['Age', duration(s.age_s)],
  ]);
  const now = state.event.status.up_s;
  for (const [name, plot] of Object.entries(plots))
    plot.update(s.paths.map((p) => ({ id: p.id, points: history.get(`${s.id}/${p.id}/${name}`) || [] })), now);
  keyed($('paths'), s.paths, (p) => p.id, from('t-path'), update_path);
  keyed($('layers'), s.tracks, (t) => t.name, from('t-layer'), update_layer);
  $('layers-empty').hidden = s.tracks.length > 0;
  $('layers-panel').hidden = s.tracks.length === 0;
}

const PATH_KIND = { up: 'good', suspect: 'warn', opening: 'warn' };

function update_path(e, p) {
  put_class(e, `card path ${series_class(p.id)}${p.state === 'abandoned' ? ' gone' : ''}`);
  put(e.querySelector('h3'), `Path ${p.id}`);
  pill(e.querySelector('.pill'), p.state, PATH_KIND[p.state] || '');
  put(e.querySelector('.cc'), p.cc + (p.cc_chosen > 1 ? `, chosen ${p.cc_chosen} times` : ''));
  put(e.querySelector('.addr'), p.remote);
  pairs(e.querySelector('.pairs'), [
    ['Sending', rate(p.sending_bps)], ['Carries', rate(p.capacity_bps)], ['Delivered', rate(p.delivery_bps)],
    ['Round trip', ms(p.rtt_ms)], ['Least', ms(p.rtt_min_ms)], ['Jitter', ms(p.rtt_var_ms)],
    ['Loss now', percent(p.loss)], ['Loss so far', percent(p.loss_total)], ['Sent', bytes(p.sent_bytes)],
    ['MTU', [String(p.mtu), 'B']], ['ECN', p.ecn ? 'yes' : 'no'], ['Shares', p.bottleneck ? 'bottleneck ' + p.bottleneck : 'nothing'],
  ]);
  const share = p.cwnd_bytes ? Math.min(1, p.in_flight_bytes / p.cwnd_bytes) : 0;
  e.querySelector('.fill').style.width = share * 100 + '%';
  put(e.querySelector('.meter-text'), `${bytes(p.in_flight_bytes).join(' ')} in flight of a window of ${bytes(p.cwnd_bytes).join(' ')}` +
    (p.backup ? ' · spared on request' : ''));
}

function update_layer(e, t) {
  const dropped = t.dropped_broken + t.dropped_rate + t.dropped_queue + t.dropped_full;
  const late = Math.min(t.expired, t.sent), good = t.sent - late, all = Math.max(1, good + late + dropped);
  put_class(e, t.taken ? '' : 'off');
  put(e.querySelector('.track'), t.name);
  put(e.querySelector('th small'), t.spatial == null ? 'sound' : `spatial ${t.spatial}, temporal ${t.temporal}`);
  put(e.querySelector('.state'), t.taken ? 'taken' : 'not taken');
  figure(e.querySelector('.rate'), t.taken ? rate(t.sending_bps) : EMPTY);
  figure(e.querySelector('.intime'), percent(t.in_time));
  figure(e.querySelector('.delay'), ms(t.sent ? t.delay_ms : null));
  for (const [name, n] of [['good', good], ['late', late], ['drop', dropped]])
    e.querySelector(`.bar .${name}`).style.width = n / all * 100 + '%';
  const parts = t.offered ? [`${count(good)} in time`] : [];
  if (late)
    parts.push(`${count(late)} too late`);
  const why = ['rate', 'queue', 'broken', 'full'].filter((name) => t['dropped_' + name]).map((name) => `${name} ${count(t['dropped_' + name])}`);
  if (dropped)
    parts.push(`${count(dropped)} not sent (${why.join(', ')})`);
  put(e.querySelector('.units small'), parts.join(', '));
  e.querySelector('.bar').setAttribute('aria-label', parts.join(', '));
}

/* ---- orders ---- */

function toast(text, bad) {
  const e = el('p', bad ? 'toast bad' : 'toast', text);
  $('toasts').append(e);
  setTimeout(() => e.remove(), bad ? 8000 : 4000);
}

let answer = () => {}; /* to the question that is asked */

/* `fields`: elements for the form; result: whether the answer was yes. */
function ask(title, text, yes, danger, fields = []) {
  answer(false);
  put($('ask-title'), title);
  put($('ask-text'), text);
  put($('ask-yes'), yes);
  $('ask-yes').classList.toggle('danger', danger);
  $('ask-fields').replaceChildren(...fields);
  $('ask').returnValue = 'no';
  $('ask').showModal();
  return new Promise((resolve) => { answer = resolve; });
}

async function order(done, method, path, body) {
  try {
    await call(method, path, body);
    toast(done, false);
  } catch (error) {
    toast(`Not done: ${error.message}`, true);
  }
}

const source_path = (s, verb) => `/sources/${s.namespace.split('/').map(encodeURIComponent).join('/')}/${verb}`;

async function stop_session() {
  const s = state.shown;
  if (await ask(`Stop session ${s.id}?`, `${s.remote} is disconnected. It may come again.`, 'Stop session', true))
    await order(`Session ${s.id} was stopped.`, 'DELETE', '/sessions/' + s.id);
}

async function toggle_source(s) {
  if (!runs(s)) {
    if (await ask(`Start ${s.namespace}?`, 'Viewers who wait for it, or come, get it.', 'Start source', false))
      await order(`${s.namespace} was started.`, 'POST', source_path(s, 'start'));
  } else if (await ask(`Stop ${s.namespace}?`, s.viewers
    ? `It ends for ${plural(s.viewers, 'viewer', 'viewers')}, and stays stopped until it is started again.`
    : 'It stays stopped until it is started again.', 'Stop source', true)) {
    await order(`${s.namespace} was stopped.`, 'POST', source_path(s, 'stop'));
  }
}

function field(name, control) {
  const label = el('label', '', name);
  label.append(control);
  return label;
}

async function refresh_source(s) {
  const select = el('select');
  for (let i = 0; i < Math.max(1, s.encoder.spatial_layers); i++) {
    const option = el('option', '', i ? `S${i}` : 'S0, a key picture');
    option.value = i;
    select.append(option);
  }
  if (await ask(`Refresh ${s.namespace}?`, 'The encoder predicts the layers from this one up anew. A key picture costs all viewers rate.',
    'Refresh', false, [field('From layer', select)]))
    await order(`${s.namespace} is refreshed from S${select.value} up.`, 'POST', source_path(s, 'refresh'),
      { spatial: Number(select.value) });
}

const LIMITS = { viewers_max: 'Viewers at once', per_address: 'Connections from an address', per_token: 'Sessions with a token',
  rate_per_address: 'New connections of an address in 10 s' };

async function change_limits() {
  const limits = await call('GET', '/limits').catch((error) => toast(`Not known: ${error.message}`, true));
  if (!limits)
    return;
  const inputs = {};
  const fields = Object.entries(LIMITS).map(([key, name]) => {
    const input = inputs[key] = el('input');
    Object.assign(input, { type: 'number', min: key === 'viewers_max' ? 1 : 0, max: 65536, value: limits[key], required: true });
    return field(name, input);
  });
  if (!await ask('Limits', '0 is no limit. Those who are here stay.', 'Change', false, fields))
    return;
  await order('The limits were changed.', 'POST', '/limits',
    Object.fromEntries(Object.entries(inputs).map(([key, input]) => [key, Number(input.value)])));
}

const ORDERS = {
  limits: change_limits,
  async reload() {
    if (await ask('Reload the configuration?', 'Configuration, certificates and keys are read again. Viewers stay.', 'Reload', false))
      await order('The configuration was reloaded.', 'POST', '/reload');
  },
  async drain() {
    if (await ask('Drain the server?', 'It takes no new viewers, and ends when all have gone. This cannot be taken back.', 'Drain', true))
      await order('The server drains.', 'POST', '/drain');
  },
};

/* ---- what a person does ---- */

function route() {
  const match = /^#\/session\/(\d+)$/.exec(location.hash);
  const session = match ? Number(match[1]) : null;
  if (session !== state.session)
    scrollTo(0, 0);
  state.session = session;
  follow();
}

function set_sort(sort) {
  state.sort = sort;
  state.offset = 0;
  $('sort').value = sort;
  follow();
}

function listen() {
  let typing;
  addEventListener('hashchange', route);
  $('search').addEventListener('input', () => {
    clearTimeout(typing);
    typing = setTimeout(() => {
      state.search = $('search').value.trim();
      state.offset = 0;
      follow();
    }, 200);
  });
  $('tools').addEventListener('submit', (e) => e.preventDefault());
  $('sort').addEventListener('change', () => set_sort($('sort').value));
  for (const button of document.querySelectorAll('[data-sort]'))
    button.addEventListener('click', () => {
      const name = button.dataset.sort, falls = ['rate', 'rtt', 'loss', 'age'].includes(name);
      const first = falls ? '-' + name : name, second = falls ? name : '-' + name;
      set_sort(state.sort === first ? second : first);
    });
  for (const [id, step] of [['newer', -PAGE], ['older', PAGE]])
    $(id).addEventListener('click', () => { state.offset = Math.max(0, state.offset + step); follow(); });
  $('session-stop').addEventListener('click', stop_session);
  for (const button of document.querySelectorAll('[data-do]'))
    button.addEventListener('click', () => {
      $('menu').open = false;
      ORDERS[button.dataset.do]();
    });
  addEventListener('click', (e) => {
    if (!e.target.closest('.menu'))
      $('menu').open = false;
  });
  addEventListener('keydown', (e) => {
    if (e.key === 'Escape')
      $('menu').open = false;
    if (e.key === '/' && !/^(INPUT|SELECT|TEXTAREA)$/.test(document.activeElement.tagName) && state.session == null) {
      e.preventDefault();
      $('search').focus();
    }
  });
  $('ask').addEventListener('close', () => {
    if (!$('ask').open)
      answer($('ask').returnValue === 'yes');
  });
  $('lock').addEventListener('submit', (e) => {
    e.preventDefault();
    state.token = $('token').value.trim();
    sessionStorage.setItem('svc-token', state.token);
    $('token').value = '';
    follow();
  });
}
listen();
route();
