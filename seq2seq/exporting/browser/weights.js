// Reads weights, and multiplies rows by them.

/** Reads the tensors of weights.bin: values are float16 or float32, little-endian, one after the other. */
export function readTensors(described, buffer) {
  const tensors = {};
  for (const {name, shape, dtype, offset} of described) {
    const count = shape.reduce((product, each) => product * each, 1);
    tensors[name] = {shape, values: dtype === "float16" ? fromHalf(new Uint16Array(buffer, offset, count)) : new Float32Array(buffer, offset, count)};
  }
  return tensors;
}

function fromHalf(halves) {
  const found = new Float32Array(halves.length);
  for (let index = 0; index < halves.length; index++) {
    const half = halves[index], sign = half & 0x8000 ? -1 : 1, exponent = (half >> 10) & 31, fraction = half & 1023;
    found[index] = exponent ? sign * 2 ** (exponent - 15) * (1 + fraction / 1024) : sign * 2 ** -14 * (fraction / 1024);
  }
  return found;
}

/** Some rows of a kernel, from `first` on. */
export function rowsOf({shape, values}, first, count = shape[0] - first) {
  const width = shape[1];
  return {shape: [count, width], values: values.subarray(first * width, (first + count) * width)};
}

/** The kernel with rows and columns exchanged. */
export function transposed({shape: [rows, columns], values}) {
  const found = new Float32Array(values.length);
  for (let row = 0; row < rows; row++) for (let column = 0; column < columns; column++) found[column * rows + row] = values[row * columns + column];
  return {shape: [columns, rows], values: found};
}

/** Adds row x kernel, Float32Array (M) x (M, N), to `into` (N), and returns it. */
export function addProduct(row, kernel, into) {
  const width = into.length, values = kernel.values;
  let index = 0;
  for (; index + 4 <= row.length; index += 4) { // four rows at once, so that `into` is read and written less often
    const a = row[index], b = row[index + 1], c = row[index + 2], d = row[index + 3];
    const first = values.subarray(index * width, (index + 1) * width);
    const second = values.subarray((index + 1) * width, (index + 2) * width);
    const third = values.subarray((index + 2) * width, (index + 3) * width);
    const fourth = values.subarray((index + 3) * width, (index + 4) * width);
    for (let column = 0; column < width; column++) into[column] += a * first[column] + b * second[column] + c * third[column] + d * fourth[column];
  }
  for (; index < row.length; index++) for (let column = 0, at = index * width; column < width; column++, at++) into[column] += row[index] * values[at];
  return into;
}

/** Returns row x kernel + bias, Float32Array (N); without a bias, row x kernel. */
export function product(row, kernel, bias = null) {
  return addProduct(row, kernel, bias ? Float32Array.from(bias.values) : new Float32Array(kernel.shape[1]));
}

export function dot(one, other, length = one.length) {
  let sum = 0;
  for (let index = 0; index < length; index++) sum += one[index] * other[index];
  return sum;
}

export function tanhAll(values) {
  for (let index = 0; index < values.length; index++) values[index] = Math.tanh(values[index]);
  return values;
}

export function joined(...rows) {
  const found = new Float32Array(rows.reduce((length, row) => length + row.length, 0));
  let at = 0;
  for (const row of rows) {
    found.set(row, at);
    at += row.length;
  }
  return found;
}
