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

/** An archive of stored entries. */
export function zip(entries: Record<string, Buffer>): Buffer {
  const files: Buffer[] = []
  const directory: Buffer[] = []
  let at = 0
  for (const [name, data] of Object.entries(entries)) {
    const sizes = bytes(little(0, 4), little(data.length, 4), little(data.length, 4), little(name.length, 2))
    const common = bytes(Buffer.alloc(6), Buffer.alloc(4), sizes, little(0, 2))
    const file = bytes(Buffer.from('PK\x03\x04'), common, Buffer.from(name), data)
    const rest = bytes(Buffer.alloc(10), little(at, 4), Buffer.from(name))
    directory.push(bytes(Buffer.from('PK\x01\x02'), Buffer.alloc(2), common, rest))
    files.push(file)
    at += file.length
  }
  const size = directory.reduce((sum, { length }) => sum + length, 0)
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
