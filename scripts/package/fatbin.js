// Finds the architectures of the code in a CUDA library. cuobjdump can show them, but it is not installed with nvcc alone.
import { readFileSync } from 'node:fs'

const MAGIC = Buffer.from([0x50, 0xed, 0x55, 0xba, 1, 0, 16, 0])
const KINDS = { 1: 'ptx', 2: 'elf' }

/** A set for each compiled source with kernels: `elf 75` is machine code for sm_75, `ptx 120` is PTX for the driver. */
export function architectures(file) {
  const bytes = readFileSync(file)
  const sources = []
  for (let at = bytes.indexOf(MAGIC); at >= 0; at = bytes.indexOf(MAGIC, at + 8)) {
    const end = at + 16 + Number(bytes.readBigUInt64LE(at + 8))
    const found = new Set()
    // An entry has its kind, the sizes of its header and its payload, and at offset 28 its architecture.
    for (let entry = at + 16; entry + 32 <= end; ) {
      const kind = KINDS[bytes.readUInt16LE(entry)]
      if (kind !== undefined) found.add(`${kind} ${bytes.readUInt32LE(entry + 28)}`)
      entry += bytes.readUInt32LE(entry + 4) + Number(bytes.readBigUInt64LE(entry + 8))
    }
    if (found.size > 0) sources.push(found)
  }
  return sources
}
