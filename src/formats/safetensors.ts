import { checkWord } from '../check.js'
import { badArgument, badFile } from '../errors.js'

/** A tensor in host memory: `data` is row-major, and its length is the product of `shape`. */
export type HostTensor =
  | { dtype: 'float32'; shape: readonly number[]; data: Float32Array }
  | { dtype: 'int32'; shape: readonly number[]; data: Int32Array }

/** The content of a safetensors file. */
export interface Safetensors {
  /** By name, in the header's order. */
  tensors: Map<string, HostTensor>
  /** Arbitrary strings by name. */
  metadata: Record<string, string>
}

/** The only header field that does not describe a tensor. */
const METADATA = '__metadata__'
/** The format's limit. It prevents a corrupt length from allocating gigabytes. */
const MAX_HEADER_BYTES = 100_000_000
const LENGTH_BYTES = 8
const NUMBER_BYTES = 4

const FILE_DTYPES = { float32: 'F32', int32: 'I32' } as const

/**
 * Encodes tensors in the safetensors format: the header's length, a JSON header, then the data of all tensors in the given
 * order without gaps. The data is copied in the host's byte order; the format requires little-endian.
 *
 * @param entries tensors with distinct names
 * @param metadata strings to store with them
 * @returns the file's bytes
 * @throws PackedRnnError ERR_INVALID_ARGUMENT for a duplicate or reserved name, an unsupported dtype, or data of the wrong
 * class; ERR_SHAPE if the data's length is not the product of the shape
 * @example
 * ```ts
 * import { writeSafetensors } from 'packed-rnn/formats'
 *
 * const data = Float32Array.of(1, 2, 3)
 * const bytes = writeSafetensors([{ name: 'bias', dtype: 'float32', shape: [3], data }])
 * console.log(bytes.length) // 84
 * ```
 */
export function writeSafetensors(
  entries: Iterable<HostTensor & { name: string }>,
  metadata: Record<string, string> = {},
): Uint8Array {
  const tensors = [...entries]
  const fields = new Map<string, unknown>()
  if (Object.keys(metadata).length > 0) fields.set(METADATA, metadata)
  let end = 0
  for (const tensor of tensors) {
    checkTensor(tensor)
    if (fields.has(tensor.name) || tensor.name === METADATA) {
      throw badArgument('writeSafetensors', 'name', `distinct names other than ${METADATA}`, tensor.name)
    }
    const start = end
    end += tensor.data.byteLength
    const dtype = FILE_DTYPES[tensor.dtype]
    fields.set(tensor.name, { dtype, shape: tensor.shape, data_offsets: [start, end] })
  }

  // Object.fromEntries defines keys without setters, so a tensor may be named __proto__.
  const json = new TextEncoder().encode(JSON.stringify(Object.fromEntries(fields)))
  const headerBytes = Math.ceil(json.length / LENGTH_BYTES) * LENGTH_BYTES
  const file = new Uint8Array(LENGTH_BYTES + headerBytes + end)
  new DataView(file.buffer).setBigUint64(0, BigInt(headerBytes), true)
  file.fill(0x20, LENGTH_BYTES, LENGTH_BYTES + headerBytes)
  file.set(json, LENGTH_BYTES)
  let position = LENGTH_BYTES + headerBytes
  for (const { data } of tensors) {
    file.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), position)
    position += data.byteLength
  }
  return file
}

function checkTensor({ name, dtype, shape, data }: HostTensor & { name: string }): void {
  checkWord('writeSafetensors', `dtype of ${name}`, dtype, Object.keys(FILE_DTYPES))
  const wanted = dtype === 'float32' ? Float32Array : Int32Array
  if (!(data instanceof wanted)) {
    throw badArgument('writeSafetensors', `data of ${name}`, `a ${wanted.name} for ${dtype}`, data)
  }
  if (!isShape(shape) || product(shape) !== data.length) {
    const got = `${data.length} numbers for shape [${shape}]`
    throw badArgument('writeSafetensors', name, 'data as long as the shape says', got, 'ERR_SHAPE')
  }
}

/**
 * Decodes a safetensors file whose tensors are F32 or I32.
 *
 * @param bytes the whole file
 * @param file its name, for error messages
 * @returns the tensors as copies, which do not keep `bytes` alive, and the metadata
 * @throws PackedRnnError ERR_FILE_FORMAT for an invalid or unsupported file; the message names the file and the problem
 * @example
 * ```ts
 * import { readSafetensors, writeSafetensors } from 'packed-rnn/formats'
 *
 * const data = Float32Array.of(1, 2, 3, 4)
 * const bytes = writeSafetensors([{ name: 'weight', dtype: 'float32', shape: [2, 2], data }])
 * const { tensors } = readSafetensors(bytes, 'linear.safetensors')
 * console.log(tensors.get('weight')!.shape) // [2, 2]
 * ```
 */
export function readSafetensors(bytes: Uint8Array, file: string): Safetensors {
  const bad = (wanted: string, got: unknown) => badFile(file, null, wanted, got)
  const header = parseHeader(bytes, bad)
  const data = bytes.subarray(header.end)
  const places: Place[] = []
  let metadata: Record<string, string> = {}
  for (const [name, field] of Object.entries(header.fields)) {
    if (name === METADATA) {
      if (!isStringRecord(field)) throw bad(`${METADATA}: an object of strings`, 'something else')
      metadata = field
    } else {
      places.push(parsePlace(name, field, data.length, bad))
    }
  }
  // Before anything is copied: overlapping tensors could need more memory than the file's size.
  checkCoverage(places, data.length, bad)
  const tensors = new Map(places.map(place => [place.name, tensorAt(place, data)]))
  return { tensors, metadata }
}

type BadFile = (wanted: string, got: unknown) => Error

/** The position of a tensor's bytes, counted from the end of the header. */
interface Place {
  name: string
  dtype: HostTensor['dtype']
  shape: number[]
  start: number
  end: number
}

function parseHeader(bytes: Uint8Array, bad: BadFile): { fields: Record<string, unknown>; end: number } {
  if (bytes.length < LENGTH_BYTES) throw bad(`at least ${LENGTH_BYTES} bytes`, `${bytes.length} bytes`)
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const headerBytes = Number(view.getBigUint64(0, true))
  if (headerBytes > MAX_HEADER_BYTES) {
    throw bad(`a header of at most ${MAX_HEADER_BYTES} bytes`, `a header length of ${headerBytes}`)
  }
  const end = LENGTH_BYTES + headerBytes
  if (end > bytes.length) throw bad(`a header of ${headerBytes} bytes`, `a file of ${bytes.length} bytes`)
  const text = decodeText(bytes.subarray(LENGTH_BYTES, end), bad)
  const fields = parseJson(text, bad)
  if (!text.startsWith('{') || !isRecord(fields)) throw bad('a header that is a JSON object', 'another value')
  const repeated = repeatedKey(text)
  if (repeated !== null) throw bad('distinct names', `${repeated} twice`)
  return { fields, end }
}

function decodeText(bytes: Uint8Array, bad: BadFile): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    throw bad('a header in UTF-8', 'other bytes')
  }
}

function parseJson(text: string, bad: BadFile): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    throw bad('a header in JSON', error instanceof Error ? error.message : error)
  }
}

/**
 * Returns the first duplicate key of the outermost object in a valid JSON text, or null. (JSON.parse silently keeps the last
 * value.) A regular expression would overflow its stack on a string of megabytes.
 */
function repeatedKey(json: string): string | null {
  const seen = new Set<string>()
  let depth = 0
  let string = ''
  for (let i = 0; i < json.length; i++) {
    const character = json[i]!
    if (character === '"') {
      const start = i++
      while (json[i] !== '"') i += json[i] === '\\' ? 2 : 1
      string = json.slice(start, i + 1)
    } else if (character === '{' || character === '[') depth++
    else if (character === '}' || character === ']') depth--
    else if (character === ':' && depth === 1) {
      const key = String(JSON.parse(string))
      if (seen.has(key)) return key
      seen.add(key)
    }
  }
  return null
}

function parsePlace(name: string, field: unknown, dataBytes: number, bad: BadFile): Place {
  const tensor = `tensor ${name}`
  if (!isRecord(field)) throw bad(`${tensor}: an object`, 'another value')
  const { dtype: fileDtype, shape, data_offsets: offsets } = field
  if (fileDtype !== 'F32' && fileDtype !== 'I32') {
    throw bad(`${tensor}: dtype F32 or I32`, typeof fileDtype === 'string' ? fileDtype : 'another value')
  }
  if (!isShape(shape)) throw bad(`${tensor}: shape: an array of non-negative integers`, 'something else')
  if (!isShape(offsets) || offsets.length !== 2) {
    throw bad(`${tensor}: data_offsets: two non-negative integers`, 'something else')
  }
  const [start, end] = [offsets[0]!, offsets[1]!]
  if (start > end || end > dataBytes) {
    throw bad(`${tensor}: data_offsets within ${dataBytes} bytes of data`, offsets)
  }
  if (product(shape) * NUMBER_BYTES !== end - start) {
    throw bad(`${tensor}: ${NUMBER_BYTES} bytes for each number of shape [${shape}]`, `${end - start} bytes`)
  }
  return { name, dtype: fileDtype === 'F32' ? 'float32' : 'int32', shape, start, end }
}

function tensorAt({ dtype, shape, start, end }: Place, data: Uint8Array): HostTensor {
  // Copied, because a Buffer may be a slice of a larger pool that does not start at a multiple of four bytes.
  const { buffer } = new Uint8Array(data.subarray(start, end))
  return dtype === 'float32'
    ? { dtype, shape, data: new Float32Array(buffer) }
    : { dtype, shape, data: new Int32Array(buffer) }
}

/** The format requires that every byte of the data belongs to exactly one tensor. */
function checkCoverage(places: Place[], dataBytes: number, bad: BadFile): void {
  let covered = 0
  for (const { name, start, end } of places.toSorted((a, b) => a.start - b.start || a.end - b.end)) {
    if (start !== covered) {
      const problem = start < covered ? 'an overlap' : 'a hole'
      throw bad(`tensor ${name}: data at byte ${covered}`, `${problem}: byte ${start}`)
    }
    covered = end
  }
  if (covered !== dataBytes) throw bad(`${covered} bytes of data`, `${dataBytes} bytes`)
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isStringRecord(value: unknown): value is Record<string, string> {
  return isRecord(value) && Object.values(value).every(text => typeof text === 'string')
}

function isShape(value: unknown): value is number[] {
  return Array.isArray(value) && value.every(size => Number.isSafeInteger(size) && size >= 0)
}

function product(shape: readonly number[]): number {
  return shape.reduce((total, size) => total * size, 1)
}
