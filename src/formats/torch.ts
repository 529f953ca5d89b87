/** Reads the files of `torch.save`, of all versions, without running anything that they name. */
import { badFile } from '../errors.js'
import { readWithSpare } from '../files/read.js'
import { orderedDict } from './pickle.js'
import { PickleGlobal, type PickleRules, readStream } from './pickleReader.js'
import type { HostTensor } from './safetensors.js'
import { isTar, tarEntries } from './tar.js'
import { storageClasses, storageClassOf, TorchStorage, TorchTensor } from './torchStorage.js'
import { zipEntries } from './zip.js'

/** How a file was written: since PyTorch 1.6, from 0.1.9 to 1.5, and before. */
export type TorchFormat = 'zip' | 'legacy' | 'tar'

/** The content of a PyTorch file. */
export interface TorchFile {
  format: TorchFormat
  /**
   * All tensors. The names of nested dicts and lists are joined by dots: `model.0.encoder.weight`. Tensors that share
   * memory in the file, such as tied weights, share it here.
   */
  tensors: Map<string, HostTensor>
  /** Numbers, strings, booleans and null, by name. */
  values: Map<string, number | bigint | string | boolean | null>
}

const LEGACY_MAGIC = 0x1950a86a20f9469cfc6cn
const LEGACY_PROTOCOL = 1001
/** Dicts within dicts; characters of names in a small file, and for each byte of the file. */
const [DEEPEST, LEAST_NAMES, NAME_BYTES] = [64, 2 ** 20, 16]
/** Dimensions of a tensor. */
const MOST_DIMENSIONS = 64

/**
 * Reads a file that `torch.save` wrote: a state dict, or dicts and lists of tensors, numbers and strings, such as
 * `{ model: …, opt: … }`. Nothing in the file is executed: a class or a function that is not needed for tensors and
 * dicts is an error that names it. So models that were saved whole are rejected; save their `state_dict()`.
 *
 * Numbers become float32 (from float64, float16 and bfloat16, too) or int32 (from all integers, and booleans). Tensors may share
 * memory with `bytes`: change neither. A tensor with
 * more numbers than its storage, as `expand` makes it, is rejected: save a copy.
 *
 * @param bytes the whole file
 * @param file its name, for error messages
 * @throws PackedRnnError ERR_FILE_FORMAT for another file, a damaged one, one with other classes, or an integer that needs
 * more than 32 bits
 * @example
 * ```ts
 * import { readTorch } from 'packed-rnn/formats'
 *
 * // torch.save({'step': 3}, file), in the format of PyTorch 0.1.9 to 1.5
 * const streams = ['8a0a6cfc9c46f9206aa850192e', '4de9032e', '7d2e', '7d58040000007374657071004b03732e', '5d2e']
 * const bytes = Buffer.from(streams.map(stream => `8002${stream}`).join(''), 'hex')
 * console.log(readTorch(bytes, 'step.pt').values) // Map(1) { 'step' => 3 }
 * ```
 */
export function readTorch(bytes: Uint8Array, file: string): TorchFile {
  return contentOf(bytes, file, false)
}

/**
 * Reads a file as `readTorch` does, in little more memory than the file has.
 *
 * @throws PackedRnnError (rejects) as `readTorch`; ERR_INVALID_ARGUMENT if the file cannot be read.
 * @example
 * ```ts
 * import { writeFileSync } from 'node:fs'
 * import { tmpdir } from 'node:os'
 * import { join } from 'node:path'
 * import { readTorchFile } from 'packed-rnn/formats'
 *
 * const streams = ['8a0a6cfc9c46f9206aa850192e', '4de9032e', '7d2e', '7d58040000007374657071004b03732e', '5d2e']
 * const file = join(tmpdir(), `step-${process.pid}.pt`)
 * writeFileSync(file, Buffer.from(streams.map(stream => `8002${stream}`).join(''), 'hex'))
 * console.log((await readTorchFile(file)).values) // Map(1) { 'step' => 3 }
 * ```
 */
export async function readTorchFile(file: string): Promise<TorchFile> {
  return contentOf(await readWithSpare(file, ALIGNMENT), file, true)
}

/** Bytes of a number that typed arrays can view without a copy. */
const ALIGNMENT = 4

/** The content of a file. @param isOwn whether the bytes may be moved, by up to `ALIGNMENT` unused bytes behind them. @internal */
export function contentOf(bytes: Uint8Array, file: string, isOwn: boolean): TorchFile {
  if (isZip(bytes)) return flattened('zip', readZip(bytes, file), bytes, file)
  if (isTar(bytes)) return flattened('tar', readTar(bytes, file), bytes, file)
  return flattened('legacy', readLegacy(bytes, file, isOwn), bytes, file)
}

function isZip(bytes: Uint8Array): boolean {
  return Buffer.from(bytes.subarray(0, 4)).toString('latin1') === 'PK\x03\x04'
}

/** The magic number of a legacy file, within its first bytes. */
const LEGACY_NUMBER = Buffer.from('8a0a6cfc9c46f9206aa85019', 'hex')

/** Whether the file is one of `torch.save`, and not of safetensors, by its first bytes. @internal */
export function isTorch(bytes: Uint8Array): boolean {
  // The header of safetensors begins after its length of eight bytes.
  if (bytes[8] === 0x7b) return false
  return isZip(bytes) || isTar(bytes) || Buffer.from(bytes.subarray(0, 24)).includes(LEGACY_NUMBER)
}

/** What streams may call, and what stands for itself. */
function rulesFor(file: string, persistent: PickleRules['persistent']): PickleRules {
  const view = ([storage, offset, shape, strides, , , marks]: readonly unknown[]) => {
    // Such as a negated or conjugated view.
    if (marks instanceof Map && marks.size > 0)
      throw badFile(file, null, 'plain tensors', 'a tensor with marks')
    return viewOf(file, storage, offset, shape, strides)
  }
  const first = ([value]: readonly unknown[]) => value
  return {
    calls: {
      'collections.OrderedDict': orderedDict,
      'torch._utils._rebuild_tensor': view,
      'torch._utils._rebuild_tensor_v2': view,
      'torch._utils._rebuild_parameter': first,
      'torch._utils._rebuild_parameter_with_state': first,
      'torch.Size': first,
      'torch.device': ([name]) => (typeof name === 'string' ? name : null),
    },
    values: storageClasses,
    persistent,
  }
}

function viewOf(
  file: string,
  storage: unknown,
  offset: unknown,
  shape: unknown,
  strides: unknown,
): TorchTensor {
  if (
    !(storage instanceof TorchStorage) ||
    typeof offset !== 'number' ||
    !isNumbers(shape) ||
    !isNumbers(strides)
  ) {
    throw badFile(file, null, 'a tensor with a storage, an offset, a shape and strides', 'something else')
  }
  if (shape.length > MOST_DIMENSIONS) {
    throw badFile(file, null, `at most ${MOST_DIMENSIONS} dimensions`, shape.length)
  }
  const tensor = new TorchTensor(storage, offset, shape, strides)
  const problem = tensor.problem()
  if (problem !== null) throw badFile(file, null, 'tensors within their storage', problem)
  return tensor
}

function isNumbers(value: unknown): value is readonly number[] {
  return Array.isArray(value) && value.every(n => typeof n === 'number')
}

/** The fields of a persistent id of a storage: `('storage', class, key, location, count, …)`. */
function storageId(file: string, id: unknown): { storage: TorchStorage; key: string; view: unknown } {
  const [tag, kind, key, , count, view] = Array.isArray(id) ? id : []
  const known = kind instanceof PickleGlobal ? storageClassOf(kind.name) : null
  if (tag !== 'storage' || known === null || typeof key !== 'string' || !isCount(count)) {
    throw badFile(file, null, "a storage's persistent id", 'something else')
  }
  return { storage: new TorchStorage(known, count), key, view }
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
}

function readZip(bytes: Uint8Array, file: string): unknown {
  const entries = zipEntries(bytes, file)
  const pickled = [...entries.keys()].find(name => /^[^/]+\/data\.pkl$/.test(name))
  if (pickled === undefined) throw badFile(file, null, 'an archive of torch.save with data.pkl', 'none')
  const folder = pickled.slice(0, -'data.pkl'.length)
  const order = entries.get(`${folder}byteorder`)
  if (order !== undefined && Buffer.from(order).toString() !== 'little') {
    throw badFile(file, null, 'numbers in little-endian order', Buffer.from(order).toString())
  }
  const storages = new Map<string, TorchStorage>()
  const rules = rulesFor(file, id => {
    const { storage, key } = storageId(file, id)
    const known = storages.get(key)
    if (known !== undefined) return known
    const data = entries.get(`${folder}data/${key}`)
    if (data?.length !== storage.byteLength) {
      throw badFile(file, null, `${storage.byteLength} bytes of storage ${key}`, data?.length ?? 'none')
    }
    storage.bytes = data
    storages.set(key, storage)
    return storage
  })
  return readStream(entries.get(pickled)!, 0, rules, file).value
}

/** Five streams, and then the numbers of each storage. */
function readLegacy(bytes: Uint8Array, file: string, isOwn: boolean): unknown {
  const storages = new Map<string, TorchStorage>()
  const rules = rulesFor(file, id => {
    const { storage, key, view } = storageId(file, id)
    if (view !== null && view !== undefined) throw badFile(file, null, 'storages that are not views', key)
    const known = storages.get(key)
    if (known === undefined) storages.set(key, storage)
    return known ?? storage
  })
  let at = 0
  const next = () => {
    const { value, end } = readStream(bytes, at, rules, file)
    at = end
    return value
  }
  const magic = next()
  if (magic !== LEGACY_MAGIC) throw badFile(file, null, 'a file of torch.save', 'another pickle')
  const protocol = next()
  if (protocol !== LEGACY_PROTOCOL) throw badFile(file, null, `protocol ${LEGACY_PROTOCOL}`, protocol)
  checkSystem(next(), file)
  const value = next()
  const keys = next()
  if (!Array.isArray(keys)) throw badFile(file, null, "a list of the storages' keys", typeof keys)
  // Numbers follow the pickles at any place. Their lengths are multiples of 4 bytes in most files, so one move aligns them all.
  const unaligned = (bytes.byteOffset + at) % ALIGNMENT
  const move = isOwn && unaligned !== 0 ? ALIGNMENT - unaligned : 0
  const numbers = move === 0 ? bytes : movedFrom(bytes, at, move)
  at += move
  for (const key of keys) {
    const storage = storages.get(keyOf(key, file))
    if (storage === undefined) throw badFile(file, null, 'keys of storages', key)
    at = readNumbers(numbers, at, storage, file)
  }
  for (const [key, { bytes: read }] of storages) {
    if (read === null) throw badFile(file, null, `the numbers of storage ${key}`, 'none')
  }
  return value
}

/** The same bytes, but that those from `at` on are moved behind. */
function movedFrom(bytes: Uint8Array, at: number, by: number): Uint8Array {
  const all = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length + by)
  return all.copyWithin(at + by, at, bytes.length)
}

function checkSystem(value: unknown, file: string): void {
  if (value instanceof Map && value.get('little_endian') === false) {
    throw badFile(file, null, 'numbers in little-endian order', 'big-endian order')
  }
}

/** A count of 64 bits, and then the numbers. @returns where they end */
function readNumbers(bytes: Uint8Array, at: number, storage: TorchStorage, file: string): number {
  if (at + 8 > bytes.length) throw badFile(file, null, "a storage's numbers", 'the end of the file')
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const count = Number(view.getBigInt64(at, true))
  if (count !== storage.count) throw badFile(file, null, `a storage of ${storage.count} numbers`, count)
  const end = at + 8 + storage.byteLength
  if (end > bytes.length) throw badFile(file, null, `${storage.count} numbers`, 'the end of the file')
  storage.bytes = bytes.subarray(at + 8, end)
  return end
}

/** PyTorch before 0.1.9: three files in an archive. */
function readTar(bytes: Uint8Array, file: string): unknown {
  const entries = tarEntries(bytes, file)
  const entry = (name: string) => {
    const found = entries.get(name)
    if (found === undefined) throw badFile(file, null, `an archive of torch.save with ${name}`, 'none')
    return found
  }
  const objects = new Map<string, TorchStorage | TorchTensor>()
  const rules = rulesFor(file, id => {
    // A tensor's key, or a class with its source.
    return Array.isArray(id) ? id[0] : objects.get(keyOf(id, file))
  })
  readStorages(entry('storages'), rules, objects, file)
  readTensors(entry('tensors'), rules, objects, file)
  return readStream(entry('pickle'), 0, rules, file).value
}

/** A key of an object, or of a dict. Anything else could be long, or within itself. */
function keyOf(value: unknown, file: string): string {
  if (typeof value === 'string') return value
  if (typeof value === 'number' || typeof value === 'bigint' || typeof value === 'boolean')
    return String(value)
  throw badFile(file, null, 'keys that are strings or numbers', value === null ? 'None' : typeof value)
}

type Objects = Map<string, TorchStorage | TorchTensor>

function readStorages(bytes: Uint8Array, rules: PickleRules, objects: Objects, file: string): void {
  let { value: left, end: at } = readStream(bytes, 0, rules, file)
  if (!isCount(left)) throw badFile(file, null, 'a number of storages', left)
  for (; left > 0; left--) {
    const { value, end } = readStream(bytes, at, rules, file)
    const [key, , kind] = Array.isArray(value) ? value : []
    const known = kind instanceof PickleGlobal ? storageClassOf(kind.name) : null
    if (known === null || end + 8 > bytes.length) throw badFile(file, null, 'a storage', 'something else')
    const count = Number(new DataView(bytes.buffer, bytes.byteOffset + end, 8).getBigInt64(0, true))
    if (!isCount(count)) throw badFile(file, null, "a storage's size", count)
    const storage = new TorchStorage(known, count)
    at = readNumbers(bytes, end, storage, file)
    objects.set(keyOf(key, file), storage)
  }
  const { value: views } = readStream(bytes, at, rules, file)
  if (!Array.isArray(views) || views.length > 0)
    throw badFile(file, null, 'storages that are not views', 'a view')
}

function readTensors(bytes: Uint8Array, rules: PickleRules, objects: Objects, file: string): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  let { value: left, end: at } = readStream(bytes, 0, rules, file)
  if (!isCount(left)) throw badFile(file, null, 'a number of tensors', left)
  const int64 = () => {
    if (at + 8 > bytes.length) throw badFile(file, null, 'sizes of a tensor', 'the end of the file')
    at += 8
    return Number(view.getBigInt64(at - 8, true))
  }
  const tensorRules = { ...rules, values: new Set([...rules.values, ...tensorClasses]) }
  for (; left > 0; left--) {
    const { value, end } = readStream(bytes, at, tensorRules, file)
    const [key, storage] = Array.isArray(value) ? value : []
    at = end
    int64() // checks that it is there
    // The number of dimensions has 32 bits; the next 32 mean nothing.
    const rank = view.getUint32(end, true)
    if (rank > MOST_DIMENSIONS) throw badFile(file, null, `at most ${MOST_DIMENSIONS} dimensions`, rank)
    const shape = Array.from({ length: rank }, int64)
    const strides = Array.from({ length: rank }, int64)
    const from = objects.get(keyOf(storage, file))
    objects.set(keyOf(key, file), viewOf(file, from, int64(), shape, strides))
  }
}

const tensorClasses = [...storageClasses].map(name => name.replace('Storage', 'Tensor'))

/** Goes through dicts and lists. What is there twice has both names. */
function flattened(format: TorchFormat, root: unknown, { length }: Uint8Array, file: string): TorchFile {
  const found: TorchFile = { format, tensors: new Map(), values: new Map() }
  const hosts = new HostTensors(length, file)
  // Dicts that are shared by dicts could have more names than any memory holds, and one within itself has no end.
  let left = LEAST_NAMES + NAME_BYTES * length
  const visit = (value: unknown, name: string, depth: number): void => {
    left -= 1 + name.length
    if (left < 0 || depth > DEEPEST) throw badFile(file, null, 'fewer dicts in dicts', name.slice(0, 80))
    if (found.tensors.has(name) || found.values.has(name)) throw badFile(file, null, 'distinct names', name)
    if (value instanceof TorchTensor) {
      found.tensors.set(name, hosts.of(value, name))
    } else if (isPlain(value)) found.values.set(name, value)
    else if (value instanceof Map || Array.isArray(value)) {
      for (const [key, item] of value.entries()) {
        visit(item, depth === 0 ? keyOf(key, file) : `${name}.${keyOf(key, file)}`, depth + 1)
      }
    } else throw badFile(file, null, 'tensors, dicts, lists, numbers and strings', typeof value)
  }
  visit(root, '', 0)
  return found
}

/** Tensors in host memory. Equal views of a storage are one tensor, such as tied weights. */
class HostTensors {
  readonly #file: string
  readonly #made = new Map<TorchStorage, Map<string, HostTensor>>()
  /** Numbers that views may still copy: a small file could have many large ones. */
  #left: number

  constructor(length: number, file: string) {
    this.#left = length
    this.#file = file
  }

  of(tensor: TorchTensor, name: string): HostTensor {
    const { storage, offset, shape, strides } = tensor
    const ofStorage = this.#made.get(storage) ?? new Map<string, HostTensor>()
    this.#made.set(storage, ofStorage)
    const view = `${offset};${shape};${strides}`
    const known = ofStorage.get(view)
    if (known !== undefined) return known
    if (!tensor.isContiguous) this.#left -= tensor.size
    if (this.#left < 0) throw badFile(this.#file, null, 'fewer transposed tensors', `the shape [${shape}]`)
    const host = tensor.toHost(value =>
      badFile(this.#file, null, `integers of at most 32 bits in ${name}`, value),
    )
    ofStorage.set(view, host)
    return host
  }
}

function isPlain(value: unknown): value is number | bigint | string | boolean | null {
  return value === null || ['number', 'bigint', 'string', 'boolean'].includes(typeof value)
}
