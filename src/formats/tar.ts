import { badFile } from '../errors.js'

const BLOCK = 512

/** Whether the file may be a tar archive: its first header contains `ustar`. */
export function isTar(bytes: Uint8Array): boolean {
  return Buffer.from(bytes.subarray(257, 262)).toString('latin1') === 'ustar'
}

/**
 * Returns the bytes of each file of a tar archive by name. They are views of `bytes`.
 *
 * @throws PackedRnnError ERR_FILE_FORMAT for a damaged archive
 */
export function tarEntries(bytes: Uint8Array, file: string): Map<string, Uint8Array> {
  const entries = new Map<string, Uint8Array>()
  let at = 0
  while (at + BLOCK <= bytes.length && bytes[at] !== 0) {
    const text = (from: number, count: number) => {
      const field = Buffer.from(bytes.subarray(at + from, at + from + count)).toString('latin1')
      return field.split('\0', 1)[0]!
    }
    const size = Number.parseInt(text(124, 12).trim(), 8)
    if (!(size >= 0 && at + BLOCK + size <= bytes.length)) {
      throw badFile(file, null, 'a whole tar archive', `an entry of ${size} bytes`)
    }
    const kind = text(156, 1)
    if (kind === '' || kind === '0') entries.set(text(0, 100), bytes.subarray(at + BLOCK, at + BLOCK + size))
    at += BLOCK + Math.ceil(size / BLOCK) * BLOCK
  }
  return entries
}
