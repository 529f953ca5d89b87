/** The entries of a ZIP archive, as PyTorch writes it: stored, not compressed. */
import { badFile } from '../errors.js'

const END = 0x06054b50
const END_BYTES = 22
const LONGEST_COMMENT = 0xffff
const END64 = 0x06064b50
const LOCATOR64 = 0x07064b50
const ENTRY = 0x02014b50
const LOCAL = 0x04034b50
const IN_EXTRA = 0xffffffff

/**
 * Returns the bytes of each entry by name. They are views of `bytes`.
 *
 * @throws PackedRnnError ERR_FILE_FORMAT for a compressed entry, or a damaged archive
 */
export function zipEntries(bytes: Uint8Array, file: string): Map<string, Uint8Array> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const bad = (wanted: string, got: string) => badFile(file, null, wanted, got)
  const within = (at: number, count: number) => {
    if (!(at >= 0 && count >= 0 && at + count <= bytes.length)) {
      throw bad('a whole ZIP archive', `a place beyond its ${bytes.length} bytes`)
    }
    return at
  }
  const directory = directoryOf(view, within, bad)
  const entries = new Map<string, Uint8Array>()
  let [at, left] = [directory.start, bytes.length]
  for (let i = 0; i < directory.count; i++) {
    within(at, 46)
    if (view.getUint32(at, true) !== ENTRY) throw bad('an entry of the ZIP directory', 'something else')
    const [nameBytes, extraBytes, commentBytes] = [28, 30, 32].map(offset =>
      view.getUint16(at + offset, true),
    )
    within(at, 46 + nameBytes! + extraBytes! + commentBytes!)
    const name = Buffer.from(bytes.subarray(at + 46, at + 46 + nameBytes!)).toString()
    if (view.getUint16(at + 10, true) !== 0) throw bad('entries that are not compressed', name)
    const { size, start } = placeOf(view, at, at + 46 + nameBytes!, extraBytes!)
    within(start, 30)
    if (view.getUint32(start, true) !== LOCAL) throw bad(`the entry ${name}`, 'something else')
    const from = start + 30 + view.getUint16(start + 26, true) + view.getUint16(start + 28, true)
    within(from, size)
    // Entries that overlap could need more memory than the file.
    left -= size
    if (left < 0) throw bad('entries that do not overlap', name)
    entries.set(name, bytes.subarray(from, from + size))
    at += 46 + nameBytes! + extraBytes! + commentBytes!
  }
  return entries
}

type Within = (at: number, count: number) => number
type Bad = (wanted: string, got: string) => Error

function directoryOf(view: DataView, within: Within, bad: Bad): { start: number; count: number } {
  const earliest = Math.max(0, view.byteLength - END_BYTES - LONGEST_COMMENT)
  for (let at = view.byteLength - END_BYTES; at >= earliest; at--) {
    if (view.getUint32(at, true) !== END) continue
    const [count, start] = [view.getUint16(at + 10, true), view.getUint32(at + 16, true)]
    if (count !== 0xffff && start !== IN_EXTRA) return { start, count }
    within(at - 20, 20)
    if (view.getUint32(at - 20, true) !== LOCATOR64) throw bad("a ZIP64 archive's directory", 'none')
    const end64 = within(Number(view.getBigUint64(at - 12, true)), 56)
    if (view.getUint32(end64, true) !== END64) throw bad("a ZIP64 archive's directory", 'something else')
    return {
      start: Number(view.getBigUint64(end64 + 48, true)),
      count: Number(view.getBigUint64(end64 + 32, true)),
    }
  }
  throw bad('a ZIP archive', 'no directory')
}

/** Size and place of an entry; numbers that need more than 32 bits stand in its extra field. */
function placeOf(view: DataView, at: number, extra: number, extraBytes: number) {
  let size = view.getUint32(at + 24, true)
  const compressed = view.getUint32(at + 20, true)
  let start = view.getUint32(at + 42, true)
  for (let field = extra; field + 4 <= extra + extraBytes; field += 4 + view.getUint16(field + 2, true)) {
    if (view.getUint16(field, true) !== 1) continue
    let number = field + 4
    const next = () => {
      if (number + 8 > extra + extraBytes) return Number.NaN
      number += 8
      return Number(view.getBigUint64(number - 8, true))
    }
    if (size === IN_EXTRA) size = next()
    if (compressed === IN_EXTRA) next()
    if (start === IN_EXTRA) start = next()
  }
  return { size, start }
}
