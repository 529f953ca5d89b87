/**
 * Reads Python's pickle streams, protocols 2 to 5, without running anything. The classes and functions that a stream may name
 * are those of a list; each has a function here that makes a value from its arguments.
 */
import { badFile } from '../errors.js'

/** A class or a function that a stream names: `collections.OrderedDict`. */
export class PickleGlobal {
  readonly name: string

  constructor(name: string) {
    this.name = name
  }
}

/** What a stream may use. */
export interface PickleRules {
  /** By name: returns what a call with these arguments makes. */
  calls: Readonly<Record<string, (args: readonly unknown[]) => unknown>>
  /** Names that stand for themselves, such as the class of a storage. */
  values: ReadonlySet<string>
  /** Returns what a persistent id stands for. */
  persistent(id: unknown): unknown
}

const MARK = Symbol('mark')
/** The opcode that a stream begins with. */
const PROTOCOL = 0x80
/** Reading takes the square of an integer's bytes. */
const MOST_DIGITS = 1024
/** The work that every stream may cost; one with more bytes may cost more. A list, dict, set or call costs 16, a call also its argument. */
const [LEAST_WORK, DICT] = [2 ** 24, 16]
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/**
 * Reads one stream. Lists and tuples become arrays (those of tuples are frozen), dicts maps, bytes `Uint8Array`s, and integers
 * outside of ±2⁵³ bigints.
 *
 * @param bytes the file
 * @param start where the stream begins
 * @param file its name, for error messages
 * @returns the value, and where the stream ends
 * @throws PackedRnnError ERR_FILE_FORMAT for a class or a function that the rules do not have, and for a stream that is cut or
 * of another protocol
 * @internal
 */
export function readStream(
  bytes: Uint8Array,
  start: number,
  rules: PickleRules,
  file: string,
): { value: unknown; end: number } {
  const reader = new Reader(bytes, start, rules, file)
  const value = reader.read()
  return { value, end: reader.at }
}

class Reader {
  at: number
  readonly #bytes: Uint8Array
  readonly #view: DataView
  readonly #rules: PickleRules
  readonly #file: string
  readonly #stack: unknown[] = []
  readonly #memo = new Map<number, unknown>()
  #left: number

  constructor(bytes: Uint8Array, start: number, rules: PickleRules, file: string) {
    this.#bytes = bytes
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.at = start
    this.#rules = rules
    this.#file = file
    this.#left = LEAST_WORK + bytes.length
  }

  read(): unknown {
    for (let started = false; ; started = true) {
      const opcode = this.#byte()
      if (opcode === 0x2e) return this.pop()
      const run = opcodes.get(opcode)
      if (run === undefined || (!started && opcode !== PROTOCOL)) {
        throw this.#bad(
          'a pickle of protocol 2 to 5',
          `the opcode 0x${opcode.toString(16)} at byte ${this.at - 1}`,
        )
      }
      run(this)
    }
  }

  // Opcodes. The names are those of Python's pickletools.

  protocol(): void {
    const version = this.#byte()
    if (version < 2 || version > 5) throw this.#bad('a pickle of protocol 2 to 5', `protocol ${version}`)
  }

  skip(count: number): void {
    this.#take(count)
  }

  push(value: unknown): void {
    this.#stack.push(value)
  }

  /** A new list, dict or set. */
  container(value: unknown[] | Map<unknown, unknown> | Set<unknown>): void {
    this.#spend(DICT)
    this.push(value)
  }

  /** A line of a decimal number, as Python 2 writes large ones; `00` and `01` are booleans. */
  decimal(): number | bigint | boolean {
    const line = this.line()
    if (line === '00' || line === '01') return line === '01'
    if (!/^-?\d{1,30}$/.test(line)) throw this.#bad('a decimal number', line.slice(0, 40))
    return Number.isSafeInteger(Number(line)) ? Number(line) : BigInt(line)
  }

  unsigned(size: 1 | 2 | 4 | 8): number {
    const at = this.#take(size)
    const view = this.#view
    if (size === 1) return view.getUint8(at)
    if (size === 2) return view.getUint16(at, true)
    return size === 4 ? view.getUint32(at, true) : Number(view.getBigUint64(at, true))
  }

  int32(): number {
    return this.#view.getInt32(this.#take(4), true)
  }

  float64(): number {
    return this.#view.getFloat64(this.#take(8))
  }

  /** A little-endian number in two's complement. */
  long(count: number): number | bigint {
    if (count > MOST_DIGITS) throw this.#bad(`integers of at most ${MOST_DIGITS} bytes`, `${count} bytes`)
    const at = this.#take(count)
    let value = 0n
    for (let i = count - 1; i >= 0; i--) value = (value << 8n) | BigInt(this.#bytes[at + i]!)
    if (count > 0 && this.#bytes[at + count - 1]! >= 0x80) value -= 1n << BigInt(8 * count)
    const number = Number(value)
    return Number.isSafeInteger(number) ? number : value
  }

  text(count: number): string {
    const at = this.#take(count)
    try {
      return utf8.decode(this.#bytes.subarray(at, at + count))
    } catch {
      throw this.#bad('text in UTF-8', `other bytes at byte ${at}`)
    }
  }

  /** Of Python 2: text in Latin-1. */
  string(count: number): string {
    const at = this.#take(count)
    return Buffer.from(this.#bytes.subarray(at, at + count)).toString('latin1')
  }

  blob(count: number): Uint8Array {
    const at = this.#take(count)
    return new Uint8Array(this.#bytes.subarray(at, at + count))
  }

  mark(): void {
    this.#stack.push(MARK)
  }

  /** The values since the last mark, which is removed. */
  marked(): unknown[] {
    const from = this.#stack.lastIndexOf(MARK)
    if (from < 0) throw this.#bad('a mark', 'none')
    const values = this.#stack.splice(from)
    values.shift()
    return values
  }

  tuple(count: number): void {
    const values = Array.from({ length: count }, () => this.pop())
    this.push(Object.freeze(values.reverse()))
  }

  append(values: readonly unknown[]): void {
    const list = this.#top()
    if (!Array.isArray(list) || Object.isFrozen(list)) throw this.#bad('a list to append to', typeof list)
    for (const value of values) list.push(value)
  }

  setItems(values: readonly unknown[]): void {
    const dict = this.#top()
    if (!(dict instanceof Map)) throw this.#bad('a dict to put items in', typeof dict)
    if (values.length % 2 !== 0) throw this.#bad('a value for each key', 'a key alone')
    for (let i = 0; i < values.length; i += 2) dict.set(values[i], values[i + 1])
  }

  addItems(values: readonly unknown[]): void {
    const set = this.#top()
    if (!(set instanceof Set)) throw this.#bad('a set to add to', typeof set)
    for (const value of values) set.add(value)
  }

  get(index: number): void {
    if (!this.#memo.has(index)) throw this.#bad('a memorised value', `the number ${index}`)
    this.push(this.#memo.get(index))
  }

  put(index: number): void {
    this.#memo.set(index, this.#top())
  }

  memorise(): void {
    this.put(this.#memo.size)
  }

  duplicate(): void {
    this.push(this.#top())
  }

  global(module: unknown, name: unknown): void {
    if (typeof module !== 'string' || typeof name !== 'string')
      throw this.#bad('the name of a class', typeof name)
    const full = `${module}.${name}`
    if (Object.hasOwn(this.#rules.calls, full) || this.#rules.values.has(full)) {
      this.push(new PickleGlobal(full))
    } else throw this.#refused(full)
  }

  line(): string {
    const end = this.#bytes.indexOf(0x0a, this.at)
    if (end < 0) throw this.#cut()
    const text = this.string(end - this.at)
    this.at = end + 1
    return text
  }

  call(args: unknown): void {
    const named = this.pop()
    if (!(named instanceof PickleGlobal)) throw this.#bad('a function to call', typeof named)
    const run = Object.hasOwn(this.#rules.calls, named.name) ? this.#rules.calls[named.name] : undefined
    if (run === undefined) throw this.#refused(named.name)
    if (!Array.isArray(args)) throw this.#bad(`arguments of ${named.name}`, typeof args)
    const [first]: unknown[] = args
    // A call may copy its argument, which a stream can name again and again.
    this.#spend(DICT + (typeof first === 'string' || Array.isArray(first) ? first.length : 0))
    this.push(run(args))
  }

  /** Sets attributes. Those of an OrderedDict, such as PyTorch's `_metadata`, are left out. */
  build(): void {
    this.pop()
    const object = this.#top()
    if (!(object instanceof Map)) throw this.#bad('no attributes but those of a dict', typeof object)
  }

  persistent(): void {
    const id = this.pop()
    const value = this.#rules.persistent(id)
    if (value === undefined) throw this.#bad('no persistent ids, or known ones', typeof id)
    this.push(value)
  }

  #spend(work: number): void {
    this.#left -= work
    if (this.#left < 0) throw this.#bad('fewer dicts and calls', 'more than a file of this size has')
  }

  #byte(): number {
    return this.#bytes[this.#take(1)]!
  }

  /** Returns the position of the next bytes, and goes past them. */
  #take(count: number): number {
    const at = this.at
    if (!(count >= 0 && count <= this.#bytes.length - at)) throw this.#cut()
    this.at = at + count
    return at
  }

  #top(): unknown {
    const { length } = this.#stack
    if (length === 0 || this.#stack[length - 1] === MARK) throw this.#bad('a value on the stack', 'none')
    return this.#stack[length - 1]
  }

  pop(): unknown {
    const value = this.#top()
    this.#stack.pop()
    return value
  }

  #bad(wanted: string, got: unknown) {
    return badFile(this.#file, null, wanted, got)
  }

  #cut() {
    return this.#bad('a whole pickle', `its end at byte ${this.#bytes.length}`)
  }

  #refused(name: string) {
    const known = [...Object.keys(this.#rules.calls), ...this.#rules.values]
    return this.#bad(`no classes or functions but ${known.join(', ')}`, name)
  }
}

const opcodes = new Map<number, (reader: Reader) => void>([
  [PROTOCOL, r => r.protocol()],
  [0x95, r => r.skip(8)], // FRAME
  [0x28, r => r.mark()],
  [0x30, r => void r.pop()],
  [0x31, r => void r.marked()],
  [0x32, r => r.duplicate()],
  [0x4e, r => r.push(null)],
  [0x88, r => r.push(true)],
  [0x89, r => r.push(false)],
  [0x4a, r => r.push(r.int32())],
  [0x4b, r => r.push(r.unsigned(1))],
  [0x4d, r => r.push(r.unsigned(2))],
  [0x8a, r => r.push(r.long(r.unsigned(1)))],
  [0x8b, r => r.push(r.long(r.int32()))],
  [0x47, r => r.push(r.float64())],
  [0x49, r => r.push(r.decimal())],
  [0x58, r => r.push(r.text(r.unsigned(4)))],
  [0x8c, r => r.push(r.text(r.unsigned(1)))],
  [0x8d, r => r.push(r.text(r.unsigned(8)))],
  [0x54, r => r.push(r.string(r.int32()))],
  [0x55, r => r.push(r.string(r.unsigned(1)))],
  [0x42, r => r.push(r.blob(r.unsigned(4)))],
  [0x43, r => r.push(r.blob(r.unsigned(1)))],
  [0x8e, r => r.push(r.blob(r.unsigned(8)))],
  [0x96, r => r.push(r.blob(r.unsigned(8)))],
  [0x5d, r => r.container([])],
  [0x61, r => r.append([r.pop()])],
  [0x65, r => r.append(r.marked())],
  [0x6c, r => r.push(r.marked())],
  [0x29, r => r.tuple(0)],
  [0x85, r => r.tuple(1)],
  [0x86, r => r.tuple(2)],
  [0x87, r => r.tuple(3)],
  [0x74, r => r.push(Object.freeze(r.marked()))],
  [0x7d, r => r.container(new Map())],
  [
    0x73,
    r => {
      const value = r.pop()
      r.setItems([r.pop(), value])
    },
  ],
  [0x75, r => r.setItems(r.marked())],
  [
    0x64,
    r => {
      const items = r.marked()
      r.container(new Map())
      r.setItems(items)
    },
  ],
  [0x8f, r => r.container(new Set())],
  [0x90, r => r.addItems(r.marked())],
  [0x91, r => r.push(new Set(r.marked()))],
  [0x68, r => r.get(r.unsigned(1))],
  [0x6a, r => r.get(r.unsigned(4))],
  [0x71, r => r.put(r.unsigned(1))],
  [0x72, r => r.put(r.unsigned(4))],
  [0x94, r => r.memorise()],
  [0x63, r => r.global(r.line(), r.line())],
  [
    0x93,
    r => {
      const name = r.pop()
      r.global(r.pop(), name)
    },
  ],
  [0x52, r => r.call(r.pop())], // REDUCE
  [0x81, r => r.call(r.pop())], // NEWOBJ
  [0x62, r => r.build()],
  [0x51, r => r.persistent()],
])
