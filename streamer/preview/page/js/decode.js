// Binary messages: [length of header][header as JSON][layers, compressed]; buffers are used again.

const HEADER_MAX = 1 << 20;
const BYTES_MAX = 128 << 20;
/** More images than that are never alive at once: the one that is shown and the one that is coming. */
const BUFFERS = 2;

export class Decoder {
  #buffers = Array.from({ length: BUFFERS }, () => new Uint8Array(0));
  #next = 0;

  /**
   * Header and layers of a message; the layers stay valid until BUFFERS further messages were decoded.
   *
   * @returns {Promise<{header: object, layers: Uint8Array[]}>}
   * @throws {RangeError} where the message is not what its header says
   */
  async decode(message) {
    const { header, body } = opened(message);
    const size = layerBytes(header);
    const count = header.kind === "strip" ? 1 : header.layers.length;
    if (size * count > BYTES_MAX) throw new RangeError("an image is too large to be shown");
    const bytes = this.#buffer(size * count);
    if ((await inflate(body, bytes)) !== bytes.length) throw new RangeError("an image came incomplete");
    return { header, layers: Array.from({ length: count }, (_, i) => bytes.subarray(i * size, (i + 1) * size)) };
  }

  #buffer(size) {
    const place = this.#next;
    this.#next = (place + 1) % BUFFERS;
    if (this.#buffers[place].length !== size) this.#buffers[place] = new Uint8Array(size);
    return this.#buffers[place];
  }
}

/** The header of a message, and its compressed rest. */
export function opened(message) {
  const length = message.byteLength >= 4 ? new DataView(message).getUint32(0, true) : HEADER_MAX + 1;
  if (length > HEADER_MAX || 4 + length > message.byteLength) throw new RangeError("an image has no header");
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(message, 4, length)));
  return { header, body: new Uint8Array(message, 4 + length) };
}

function layerBytes(header) {
  const sides = [header.width, header.height, header.kind === "strip" ? header.count : 1];
  const whole = sides.every((side) => Number.isInteger(side) && side >= 0 && side <= 32768);
  if (!whole || (header.kind !== "strip" && !Array.isArray(header.layers))) throw new RangeError("an image has no size");
  return sides[0] * sides[1] * sides[2];
}

async function inflate(compressed, into) {
  const stream = new DecompressionStream("deflate");
  const writer = stream.writable.getWriter();
  const written = writer.write(compressed).then(() => writer.close());
  written.catch(() => {}); // the reader below sees the same error
  const reader = stream.readable.getReader();
  let filled = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return filled;
    if (filled + value.length > into.length) {
      await reader.cancel();
      throw new RangeError("an image is larger than it says");
    }
    into.set(value, filled);
    filled += value.length;
  }
}
