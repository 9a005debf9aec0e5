// The uniform numbers of a sample: Philox4x64-10 (Salmon et al. 2011, doi:10.1145/2063384.2063405), as NumPy draws them,
// so that a seed gives the same texts here and on the command line.

const MASK = (1n << 64n) - 1n;
const MULTIPLIERS = [0xd2e7470ee14c6c93n, 0xca5a826395121157n];
const WEYL = [0x9e3779b97f4a7c15n, 0xbb67ae8584caa73bn];

function block(counter, key) {
  let [a, b, c, d] = counter, [first, second] = key;
  for (let round = 0; round < 10; round++) {
    const one = MULTIPLIERS[0] * a, other = MULTIPLIERS[1] * c;
    [a, b, c, d] = [(other >> 64n) ^ b ^ first, other & MASK, (one >> 64n) ^ d ^ second, one & MASK];
    [first, second] = [(first + WEYL[0]) & MASK, (second + WEYL[1]) & MASK];
  }
  return [a, b, c, d];
}

/** Returns a function from a step to its number in [0, 1), for one sample (from 0) of one line (from 1). */
export function uniforms(seed, line, sample) {
  const key = [BigInt(seed), BigInt(line)], known = new Map();
  return (step) => {
    const count = Math.floor(step / 4);
    if (!known.has(count)) known.set(count, block([BigInt(count + 1), 0n, BigInt(sample), 0n], key)); // NumPy counts before it draws
    return Number(known.get(count)[step % 4] >> 11n) / 2 ** 53;
  };
}
