import { expect } from 'vitest'

// Vitest compares typed arrays element by element, which takes seconds for a megabyte. Equal bits are equal
// elements; whatever else is equal or not, vitest decides.
const testers = [
  (a: unknown, b: unknown) =>
    ArrayBuffer.isView(a) && ArrayBuffer.isView(b) && sameBits(a, b) ? true : undefined,
]
// Files that share a process also share its testers.
const added = Symbol.for('packed-rnn equality of typed arrays')
if (!(added in globalThis)) expect.addEqualityTesters(testers)
Object.defineProperty(globalThis, added, { value: true, configurable: true })

function sameBits(a: ArrayBufferView, b: ArrayBufferView): boolean {
  const bytes = (of: ArrayBufferView) => new Uint8Array(of.buffer, of.byteOffset, of.byteLength)
  return a.constructor === b.constructor && Buffer.compare(bytes(a), bytes(b)) === 0
}
