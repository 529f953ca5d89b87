/** Reads HDF5 files with h5wasm, which is loaded on first use. */
import { badFile, PackedRnnError } from '../errors.js'
import { beginOf } from '../files/read.js'
import type { HostTensor } from './safetensors.js'

/** The content of an HDF5 file. */
export interface Hdf5File {
  /** The data sets of numbers, by their paths: `model_weights/lstm/kernel:0`. */
  tensors: Map<string, HostTensor>
  /** The other data sets, and all attributes, as text, by their paths; an attribute's begins with `@`: `lstm/@weight_names`. */
  values: Map<string, string>
}

/** The first bytes of a file without a user block. */
const SIGNATURE = Buffer.from('\x89HDF\r\n\x1a\n', 'latin1')
/** Bytes of values for each byte of the file, at most: compression and fill values make a file grow. */
const MOST_GROWTH = 256
const LEAST_BYTES = 2 ** 22
/** What a group, a data set or an attribute counts at least, for each group on its path, because each of these is opened. */
const ENTRY_BYTES = 256
/** Groups within groups, which may contain themselves. */
const DEEPEST = 64

/** Whether a file begins as HDF5 files do. @throws PackedRnnError (rejects) ERR_INVALID_ARGUMENT if it cannot be read. */
export async function isHdf5File(file: string): Promise<boolean> {
  return (await beginOf(file, SIGNATURE.length)).bytes.equals(SIGNATURE)
}

/**
 * Reads an HDF5 file, such as Keras's weights and those of AllenNLP's ELMo. It needs the package `h5wasm`:
 * `npm install h5wasm`. Floats of any size become float32, and integers int32. Read only files that you trust: on some damaged
 * files the HDF5 library does not return.
 *
 * @throws PackedRnnError (rejects) ERR_FILE_FORMAT, naming the file, for another file, a damaged one, an integer that needs more
 * than 32 bits, or one that would grow to more than 256 bytes for each of its bytes; ERR_INVALID_ARGUMENT if the file cannot be
 * read, or h5wasm is not installed.
 * @example
 * ```ts
 * import { readHdf5 } from 'packed-rnn/formats'
 *
 * try {
 *   const { tensors } = await readHdf5('model.h5')
 *   console.log([...tensors.keys()])
 * } catch (error) {
 *   console.log(error instanceof Error && error.message.includes('model.h5')) // true
 * }
 * ```
 */
export async function readHdf5(file: string): Promise<Hdf5File> {
  const { bytes, size } = await beginOf(file, SIGNATURE.length)
  if (!bytes.equals(SIGNATURE)) throw badFile(file, null, 'an HDF5 file', 'another one')
  const library = await loadLibrary()
  const budget = new Budget(file, Math.max(LEAST_BYTES, size * MOST_GROWTH))
  try {
    const opened = new library.File(file, 'r')
    try {
      return contentOf(opened, library, file, budget)
    } finally {
      opened.close()
    }
  } catch (error) {
    if (error instanceof PackedRnnError) throw error
    throw badFile(file, null, 'an HDF5 file', error instanceof Error ? error.message : String(error))
  }
}

type Library = Awaited<ReturnType<typeof loadLibrary>>

async function loadLibrary() {
  const found = await import('h5wasm/node').catch((cause: unknown) => {
    const message = 'readHdf5: wanted the package h5wasm, got none: npm install h5wasm'
    throw new PackedRnnError('ERR_INVALID_ARGUMENT', message, { cause })
  })
  const native = await found.ready
  // It would print errors otherwise.
  native.activate_throwing_error_handler()
  return found
}

type Group = InstanceType<Library['Group']>
type Dataset = InstanceType<Library['Dataset']>

/** What may still be read of a file. */
class Budget {
  readonly file: string
  #bytes: number

  constructor(file: string, bytes: number) {
    this.file = file
    this.#bytes = bytes
  }

  /** @throws PackedRnnError ERR_FILE_FORMAT if an entry is too large, or one too many. */
  take(name: string, { shape, size = 0 }: { shape?: readonly number[] | null; size?: number } = {}): void {
    const values = shape?.reduce((product, n) => product * n, 1) ?? 1
    this.#bytes -= Math.max(ENTRY_BYTES * name.split('/').length, values * size)
    if (!(this.#bytes >= 0)) throw badFile(this.file, null, `less data before ${name}`, `${values} values`)
  }
}

function contentOf(root: Group, library: Library, file: string, budget: Budget): Hdf5File {
  const content: Hdf5File = { tensors: new Map(), values: new Map() }
  const attributes = (of: Group | Dataset, path: string) => {
    for (const [key, attribute] of Object.entries(of.attrs)) {
      const name = `${path}@${key}`
      budget.take(name, attribute.metadata)
      content.values.set(name, textOf(attribute.value))
    }
  }
  const walk = (group: Group, path: string, depth: number) => {
    if (depth > DEEPEST) throw badFile(file, null, `groups at most ${DEEPEST} deep`, path)
    attributes(group, path)
    for (const key of group.keys()) {
      const name = path + key
      // Groups may be linked many times.
      budget.take(name)
      const entry = group.get(key)
      if (entry instanceof library.Group) walk(entry, `${name}/`, depth + 1)
      if (!(entry instanceof library.Dataset)) continue
      attributes(entry, `${name}/`)
      budget.take(name, entry.metadata)
      const tensor = tensorOf(entry, name, file)
      if (tensor === null) content.values.set(name, textOf(entry.value))
      else content.tensors.set(name, tensor)
    }
  }
  walk(root, '', 0)
  return content
}

/** The numbers of a data set; null for other data. */
function tensorOf(set: Dataset, name: string, file: string): HostTensor | null {
  const { shape, dtype } = set
  if (shape === null || typeof dtype !== 'string' || !/^[<>|]?[fdebBhHiIlLqQ]/.test(dtype)) return null
  const { value } = set
  if (/^[<>|]?[fde]/.test(dtype)) {
    const isTyped = value instanceof Float32Array || value instanceof Float64Array
    return { dtype: 'float32', shape, data: new Float32Array(isTyped ? value : [...numbersOf(value)]) }
  }
  const data = Int32Array.from(numbersOf(value), integer => {
    if (integer >= -(2 ** 31) && integer < 2 ** 31) return integer
    throw badFile(file, null, `integers of 32 bits in ${name}`, integer)
  })
  return { dtype: 'int32', shape, data }
}

function* numbersOf(value: unknown): Iterable<number> {
  if (typeof value === 'number' || typeof value === 'bigint') yield Number(value)
  else if (Array.isArray(value) || ArrayBuffer.isView(value)) {
    for (const each of value as Iterable<number | bigint>) yield Number(each)
  }
}

function textOf(value: unknown): string {
  if (Array.isArray(value)) return value.map(String).join(', ')
  return ArrayBuffer.isView(value) ? [...numbersOf(value)].join(', ') : String(value)
}
