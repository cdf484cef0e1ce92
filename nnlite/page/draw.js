"use strict";
// Draw a digit, and watch a network read it: what it sees, which units fire, which operations run.
//
// The lesson, from top to bottom: (1) a picture becomes 28 x 28 bytes, as nnlite/digits/prepare.py does, to the bit;
// (2) bytes become ten numbers, layer by layer, with every zero skipped; (3) the operations of that are counted by the
// rules of nnlite's kernels; (4) all of it is shown; (5) strokes come from a mouse, a pen or a finger.
// Nothing is fetched and nothing is sent: the weights are in the page.

const SIZE = 28, BOX = 20, FAINTEST = 0.25; // as in prepare.py
const PEN = 22; // of the 280 pixels of the drawing

// ---- 1. A picture becomes 28 x 28 bytes ---------------------------------------------------------------------------

// The box of the ink, light on dark: paper is the median of the border, ink what differs from it most.
function findInk(greys, nRows, nColumns) {
  const isLast = (i) => i >= greys.length - nColumns || i % nColumns === nColumns - 1; // row, or column
  const border = greys.filter((_, i) => i < nColumns || i % nColumns === 0 || isLast(i)).sort();
  const ink = greys.map((grey) => grey - border[border.length >> 1]);
  const low = ink.reduce((a, b) => Math.min(a, b)), high = ink.reduce((a, b) => Math.max(a, b));
  const sign = -low > high ? -1 : 1, strongest = Math.max(-low, high);
  if (strongest === 0) return null;
  let [top, bottom, left, right] = [nRows, -1, nColumns, -1];
  for (let row = 0; row < nRows; row++) {
    for (let column = 0; column < nColumns; column++) {
      const i = row * nColumns + column;
      ink[i] *= sign;
      if (ink[i] < FAINTEST * strongest) { ink[i] = 0; continue; }
      [top, bottom] = [Math.min(top, row), Math.max(bottom, row)];
      [left, right] = [Math.min(left, column), Math.max(right, column)];
    }
  }
  const box = [];
  for (let row = top; row <= bottom; row++) box.push(ink.slice(row * nColumns + left, row * nColumns + right + 1));
  return box;
}

// Rows averaged into nOut rows of equal height, which may begin and end between two of them: the sum up to any
// height is linear between whole rows, and an average is the difference of two sums over their distance.
function average(rows, nOut) {
  const n = rows.length, upTo = [new Float64Array(rows[0].length)];
  for (let k = 0; k < n; k++) upTo.push(upTo[k].map((sum, j) => sum + rows[k][j]));
  const sums = [];
  for (let i = 0; i <= nOut; i++) {
    const border = i * n / nOut, whole = Math.min(Math.floor(border), n - 1);
    sums.push(upTo[whole].map((sum, j) => sum + (border - whole) * rows[whole][j]));
  }
  return sums.slice(1).map((after, i) => after.map((sum, j) => (sum - sums[i][j]) * nOut / n));
}

const transpose = (rows) => Array.from(rows[0], (_, j) => Float64Array.from(rows, (row) => row[j]));

// Where a box begins, so that its centre of mass is nearest to row 14.
function start(mass) {
  let total = 0, moment = 0;
  mass.forEach((m, k) => { total += m; moment += m * k; });
  return Math.min(Math.max(Math.ceil(SIZE / 2 - 0.5 - moment / total), 0), SIZE - mass.length);
}

function prepare(greys, nRows, nColumns) {
  const ink = findInk(greys, nRows, nColumns);
  if (ink === null) return null;
  const scale = BOX / Math.max(ink.length, ink[0].length);
  const rounded = (n) => Math.max(1, Math.floor(n * scale + 0.5));
  let small = transpose(average(transpose(average(ink, rounded(ink.length))), rounded(ink[0].length)));
  const brightest = Math.max(...small.map((row) => Math.max(...row)));
  small = small.map((row) => row.map((value) => Math.floor(value / brightest * 255 + 0.5)));
  const sum = (rows) => rows.map((row) => row.reduce((a, b) => a + b, 0));
  const top = start(sum(small)), left = start(sum(transpose(small)));
  const image = new Uint8Array(SIZE * SIZE);
  small.forEach((row, i) => row.forEach((value, j) => { image[(top + i) * SIZE + left + j] = value; }));
  return image;
}

// ---- 2. Bytes become ten numbers ----------------------------------------------------------------------------------

const network = JSON.parse(document.getElementById("network").textContent);
const decode = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)).buffer;
for (const layer of network.layers) {
  layer.weight = new Float32Array(decode(layer.weight)); // (nIn, nOut), row by row
  layer.bias = new Float32Array(decode(layer.bias));
}

// The activations of every layer: the pixels first, the ten logits last. A product with zero adds nothing, so the
// inputs that are zero are passed over; in the first layer that is most of them. JavaScript adds in float64, nnlite in
// float32, so logits differ from the sixth digit on.
function forward(image) {
  const activations = [Float64Array.from(image, (byte) => Math.fround(byte / 255))];
  network.layers.forEach(({ nOut, weight, bias }, l) => {
    const z = Float64Array.from(bias);
    activations[l].forEach((x, k) => {
      if (x !== 0) for (let j = 0; j < nOut; j++) z[j] += x * weight[k * nOut + j];
    });
    activations.push(l < network.layers.length - 1 ? z.map((value) => Math.max(value, 0)) : z);
  });
  return activations;
}

function softmax(logits) {
  const largest = Math.max(...logits), powers = logits.map((z) => Math.exp(z - largest));
  return powers.map((power) => power / powers.reduce((a, b) => a + b, 0));
}

// ---- 3. The operations are counted --------------------------------------------------------------------------------

const inkOf = (image) => image.filter((byte) => byte > 0).length;

// One row for each thing that nnlite's kernels do with this image: what the formula asks for, and what they execute.
// They skip pixels that are zero; they compute whole vectors of `width` numbers, of which some only pad. A multiply-add
// is two operations; sums start from the bias, so it costs nothing.
function count(image) {
  const nInk = inkOf(image), nPixels = SIZE * SIZE, last = network.layers.length - 1;
  const rows = [{ name: "bytes to numbers, zeros found", formula: nPixels, executed: 2 * nPixels + nInk }];
  network.layers.forEach(({ nIn, nOut, width }, l) => {
    const nInputs = l === 0 ? nInk : nIn;
    const name = `layer ${l + 1}: ${nIn} to ${nOut}${width > nOut ? `, in ${width} lanes` : ""}`;
    rows.push({ name, formula: 2 * nIn * nOut, executed: 2 * nInputs * width });
    if (l < last) rows.push({ name: `relu of ${nOut}`, formula: nOut, executed: width });
    else rows.push({ name: `the largest of ${nOut}`, formula: nOut - 1, executed: nOut - 1 });
  });
  const total = (what) => rows.reduce((sum, row) => sum + row[what], 0);
  return [...rows, { name: "all", formula: total("formula"), executed: total("executed") }];
}

// ---- 4. All of it is shown ----------------------------------------------------------------------------------------

const element = (id) => document.getElementById(id);
const percent = (share) => `${(100 * share).toFixed(1)}%`;
const thousands = (n) => String(n).replace(/\B(?=(\d{3})+$)/g, ",");

function show(image) {
  const seen = element("seen").getContext("2d"), pixels = seen.createImageData(SIZE, SIZE);
  for (let i = 0; i < SIZE * SIZE; i++) pixels.data.set([image[i], image[i], image[i], 255], 4 * i);
  seen.putImageData(pixels, 0, 0);
  const activations = forward(image), probabilities = softmax(Array.from(activations[activations.length - 1]));
  const best = probabilities.indexOf(Math.max(...probabilities)), nInk = inkOf(image), hasInk = nInk > 0;
  element("draw").classList.toggle("no-print", !hasInk);
  element("answer").textContent = hasInk ? `It is a ${best}, says the network: ${percent(probabilities[best])}.`
    : "Draw a digit, as large as you like.";
  element("ink").textContent = hasInk ? `${nInk} of ${SIZE * SIZE} pixels have ink.` : "";
  element("seen").setAttribute("aria-label", hasInk ? `the drawing in 28 by 28 pixels, read as ${best}` : "empty");
  [...element("probabilities").tBodies[0].rows].forEach((row, digit) => {
    row.cells[1].textContent = hasInk ? percent(probabilities[digit]) : "";
    row.cells[2].firstElementChild.firstElementChild.setAttribute("width", hasInk ? 100 * probabilities[digit] : 0);
    row.classList.toggle("best", hasInk && digit === best);
  });
  showUnits(activations.slice(1, -1), hasInk);
  showOperations(image, hasInk);
}

// One square a hidden unit, the brighter the more it fires.
function showUnits(layers, hasInk) {
  const units = layers.flatMap((layer) => Array.from(layer)), strongest = Math.max(...units, 1e-9);
  [...element("units").children].forEach((square, j) => {
    square.setAttribute("fill-opacity", hasInk ? (units[j] / strongest).toFixed(2) : 0);
  });
  const nFiring = units.filter((value) => value > 0).length;
  const text = hasInk ? `${nFiring} of ${units.length} hidden units fire` : `${units.length} hidden units, none fires`;
  element("units").setAttribute("aria-label", text);
  element("firing").textContent = `${text}.`;
}

function showOperations(image, hasInk) {
  const body = element("operations").tBodies[0];
  body.replaceChildren(...count(image).map(({ name, formula, executed }) => {
    const row = document.createElement("tr"), head = document.createElement("th");
    head.scope = "row";
    head.textContent = name;
    row.append(head);
    for (const n of [formula, executed, formula - executed]) row.insertCell().textContent = hasInk ? thousands(n) : "";
    return row;
  }));
}

// ---- 5. Strokes come from a mouse, a pen or a finger --------------------------------------------------------------

// The drawing has 280 x 280 pixels on every screen, so that equal strokes are equal digits.
const canvas = element("drawing"), context = canvas.getContext("2d", { willReadFrequently: true });
const states = [[]]; // what was drawn after each action: strokes, which are lists of points, and examples, {image}
let drawing = null; // the stroke whose pointer is down

function paint() {
  context.fillStyle = "black";
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.strokeStyle = "white";
  context.lineWidth = PEN;
  context.lineCap = context.lineJoin = "round";
  for (const mark of states.at(-1)) {
    if (mark.image) { paintExample(mark.image); continue; }
    context.beginPath();
    context.moveTo(...mark[0]);
    for (const point of mark) context.lineTo(...point); // a stroke of one point becomes a dot
    context.stroke();
  }
}

function paintExample(image) {
  const side = canvas.width / SIZE;
  image.forEach((grey, i) => {
    context.fillStyle = `rgb(${grey}, ${grey}, ${grey})`;
    context.fillRect((i % SIZE) * side, Math.floor(i / SIZE) * side, side, side);
  });
}

// The greys of the drawing: its red, which is its green and its blue. The blocks are averaged in `average`, by hand,
// since a canvas that scales by itself leaves hardly any greys between black and white.
function readDrawing() {
  const colours = context.getImageData(0, 0, canvas.width, canvas.height).data;
  return Float64Array.from({ length: colours.length / 4 }, (_, i) => colours[4 * i]);
}

function update() {
  paint();
  show(prepare(readDrawing(), canvas.height, canvas.width) ?? new Uint8Array(SIZE * SIZE));
}

// Once an action is over, a screen reader says what came out; at every move it would never stop.
function announce() { element("announced").textContent = element("answer").textContent; }

function act(marks) {
  states.push(marks);
  update();
}

function undo() {
  if (states.length > 1) states.pop();
  update();
  announce();
}

// Where an event is in the drawing, whatever size that has on the screen.
function place({ clientX, clientY }) {
  const { left, top } = canvas.getBoundingClientRect(), scale = canvas.width / canvas.clientWidth;
  return [(clientX - left - canvas.clientLeft) * scale, (clientY - top - canvas.clientTop) * scale];
}

canvas.addEventListener("pointerdown", (event) => {
  if (drawing !== null || event.button !== 0) return; // a second finger draws nothing
  canvas.setPointerCapture(event.pointerId); // the stroke goes on outside, and ends wherever it ends
  drawing = { id: event.pointerId, stroke: [place(event)] };
  act([...states.at(-1), drawing.stroke]);
});
canvas.addEventListener("pointermove", (event) => {
  if (event.pointerId !== drawing?.id) return;
  const passed = event.getCoalescedEvents?.() ?? []; // a fast stroke has several points between two pictures
  drawing.stroke.push(...(passed.length ? passed : [event]).map(place));
  update();
});
canvas.addEventListener("lostpointercapture", (event) => {
  if (event.pointerId !== drawing?.id) return;
  drawing = null;
  announce();
});
element("undo").addEventListener("click", undo);
element("clear").addEventListener("click", () => { act([]); announce(); });
document.addEventListener("keydown", (event) => {
  if (event.key !== "z" || !(event.ctrlKey || event.metaKey)) return;
  event.preventDefault();
  undo();
});
const examples = new Uint8Array(decode(network.examples));
[...element("examples").children].forEach((button, digit) => button.addEventListener("click", () => {
  act([{ image: examples.slice(digit * SIZE * SIZE, (digit + 1) * SIZE * SIZE) }]);
  announce();
}));
element("panels").hidden = false;
update();
