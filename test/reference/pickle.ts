/** Writes pickles of protocol 2, ZIP and tar archives for tests. */

const bytes = (...parts: (number | Buffer)[]) =>
  Buffer.concat(parts.map(part => (typeof part === 'number' ? Buffer.of(part) : part)))

/** A little-endian number. */
export function little(value: number | bigint, size: 2 | 4 | 8): Buffer {
  const made = Buffer.alloc(8)
  made.writeBigInt64LE(BigInt(value))
  return made.subarray(0, size)
}

export const text = (value: string) => bytes(0x58, little(Buffer.byteLength(value), 4), Buffer.from(value))
export const int = (value: number) => bytes(0x4a, little(value, 4))
export const list = (...items: Buffer[]) => bytes(0x5d, 0x28, ...items, 0x65)
export const tuple = (...items: Buffer[]) => bytes(0x28, ...items, 0x74)
export const dict = (items: Record<string, Buffer>) =>
  bytes(0x7d, 0x28, ...Object.entries(items).flatMap(([name, item]) => [text(name), item]), 0x75)
export const named = (module: string, name: string) => bytes(0x63, Buffer.from(`${module}\n${name}\n`))
export const call = (what: Buffer, ...args: Buffer[]) => bytes(what, tuple(...args), 0x52)
export const persistent = (id: Buffer) => bytes(id, 0x51)
export const NONE = bytes(0x4e)

const NOTHING = Buffer.alloc(0)
/** What stands where a number needs more than 32 bits. */
const ELSEWHERE = Buffer.alloc(4, 0xff)

/** A whole stream. */
export const pickle = (value: Buffer) => bytes(0x80, 2, value, 0x2e)

/** A tensor of PyTorch: a view of a storage. */
export const tensor = (storage: Buffer, offset: number, shape: number[], strides: number[]) =>
  call(
    named('torch._utils', '_rebuild_tensor_v2'),
    ...[persistent(storage), int(offset), tuple(...shape.map(int)), tuple(...strides.map(int))],
    ...[bytes(0x89), dict({})],
  )

/** Its persistent id. */
export const storage = (kind: string, key: string, count: number) =>
  tuple(text('storage'), named('torch', kind), text(key), text('cpu'), int(count))

/** An archive of stored entries; of ZIP64, sizes and places stand in the extra fields, and there is a second directory end. */
export function zip(entries: Record<string, Buffer>, zip64 = false): Buffer {
  const files: Buffer[] = []
  const directory: Buffer[] = []
  let at = 0
  for (const [name, data] of Object.entries(entries)) {
    const size = zip64 ? ELSEWHERE : little(data.length, 4)
    const extra = zip64
      ? bytes(little(1, 2), little(24, 2), ...[data.length, data.length, at].map(n => little(n, 8)))
      : NOTHING
    const before = bytes(Buffer.alloc(10), little(0, 4), size, size, little(name.length, 2))
    const file = bytes(Buffer.from('PK\x03\x04'), before, little(0, 2), Buffer.from(name), data)
    const common = bytes(before, little(extra.length, 2))
    const rest = bytes(Buffer.alloc(10), zip64 ? ELSEWHERE : little(at, 4), Buffer.from(name), extra)
    directory.push(bytes(Buffer.from('PK\x01\x02'), Buffer.alloc(2), common, rest))
    files.push(file)
    at += file.length
  }
  const size = directory.reduce((sum, { length }) => sum + length, 0)
  if (zip64) {
    const [count, where] = [little(directory.length, 8), little(at, 8)]
    const end64 = bytes(
      Buffer.from('PK\x06\x06'),
      little(44, 8),
      Buffer.alloc(12),
      count,
      count,
      little(size, 8),
      where,
    )
    const locator = bytes(Buffer.from('PK\x06\x07'), Buffer.alloc(4), little(at + size, 8), little(1, 4))
    const end = bytes(
      Buffer.from('PK\x05\x06'),
      Buffer.alloc(4),
      Buffer.alloc(4, 0xff),
      ELSEWHERE,
      ELSEWHERE,
      Buffer.alloc(2),
    )
    return bytes(...files, ...directory, end64, locator, end)
  }
  const count = little(directory.length, 2)
  const end = bytes(Buffer.from('PK\x05\x06'), Buffer.alloc(4), count, count, little(size, 4), little(at, 4))
  return bytes(...files, ...directory, end, Buffer.alloc(2))
}

/** An archive of files. */
export function tar(entries: Record<string, Buffer>): Buffer {
  const blocks = Object.entries(entries).map(([name, data]) => {
    const header = Buffer.alloc(512)
    header.write(name, 0)
    header.write(`${data.length.toString(8).padStart(11, '0')}\0`, 124)
    header.write('0', 156)
    header.write('ustar', 257)
    return bytes(header, data, Buffer.alloc((512 - (data.length % 512)) % 512))
  })
  return bytes(...blocks, Buffer.alloc(1024))
}
