import { describe, expect, test } from 'vitest'
import { device } from '../../src/device.js'
import { addon, type NativeBuffer, numbers } from '../../src/nativeAddon.js'
import { relu } from '../../src/ops/elementwise.js'
import { Generator } from '../../src/random.js'
import { tensor } from '../../src/tensor.js'
import { type Argument, type ContractOp, contractOps } from './contractOps.js'

/**
 * The native door: an op that is called with arguments that no wrapper of src/contract passes throws an error that names
 * the op before anything runs. What is passed follows from the wrappers' text. Each call here is wrong somewhere, so no
 * op is issued.
 */

const cpu = device('cpu')
const { queue } = cpu
/** Tensors in a list. */
const TENSORS = 2
/** A size that no buffer has where all sizes are 1. */
const ODD = 11

const uploads = new Map<number, NativeBuffer>()
function bufferOf(elements: number): NativeBuffer {
  const found = uploads.get(elements) ?? addon.upload(queue, new Float32Array(elements))
  uploads.set(elements, found)
  return found
}
const released = addon.upload(queue, new Float32Array(1))
addon.release(released)
const mark = addon.mark(queue)

/** What is no buffer, no list and no array of numbers. */
const STRANGE: readonly unknown[] = [
  ...[3, Number.NaN, 'x', true, {}, Symbol('x'), () => 0, 3n, queue, mark, new Map(), new Proxy({}, {})],
  ...[new DataView(new ArrayBuffer(8)), new ArrayBuffer(8), new Uint8Array(1), addon],
]
const SIZES = [Number.NaN, -1, 0.5, 2 ** 53, 1e300, Infinity, -Infinity]
const STRIDES = [Number.NaN, 0.5, 1e15, -1e15, 2 ** 53, 1e300, Infinity]

/** The arguments and numbers of a call. */
interface Call {
  device: unknown
  values: unknown[]
  numbers: number[]
}
type Change = (call: Call) => void
/** Makes a good call a wrong one, whatever is changed in other places. */
interface Mutation {
  place: string
  change: Change
}

class Door {
  readonly #op: ContractOp
  readonly #run: (typeof addon.raw)['sum']
  /** Elements of each argument's buffers. */
  readonly #elements: number[]
  /** Lists whose buffers may be of any size. */
  readonly any = new Set<Argument>()
  /** Whether numbers that stand in no shape must be 0 for the others to fit: where something begins. */
  #fromFirst = false
  /** Numbers that are sizes. */
  readonly sizes: number[] = []

  constructor(op: ContractOp) {
    this.#op = op
    this.#run = Object.entries(addon.raw).find(([name]) => name === op.name)![1]
    this.#elements = op.arguments.map(() => 1)
    this.#measure()
  }

  get last(): number {
    return this.#op.arguments.length - 1
  }

  elements(i: number): number {
    return this.#elements[i]!
  }

  /** A good call. */
  good(): Call {
    const values = this.#op.arguments.map((each, i): unknown => {
      const buffer = bufferOf(this.#elements[i]!)
      if (each.kind === 'offsets') return Int32Array.of(0, 1)
      if (each.kind === 'doubles') return new Float64Array(TENSORS * each.each).fill(1)
      return each.kind === 'list' ? Array.from({ length: TENSORS }, () => buffer) : buffer
    })
    const given = this.#op.numbers.map(({ kind, named }) => {
      return kind === 'choice' || kind === 'flag' || (this.#fromFirst && !named) ? 0 : 1
    })
    return { device: queue, values, numbers: given }
  }

  /** The last argument is wrong: whatever stands before it is looked at first. */
  poison: Change = ({ values }) => {
    const value = values[this.last]
    values[this.last] = Array.isArray(value) ? [value[0], 3] : 3
  }

  refusal({ device: on, values, numbers: given }: Call): string {
    given.forEach((value, i) => {
      numbers[i] = value
    })
    try {
      Reflect.apply(this.#run, undefined, on === NOTHING ? [] : [on, ...values])
    } catch (error) {
      if (error instanceof TypeError) return error.message
      throw error
    }
    throw new Error(`${this.#op.name}: was not refused`)
  }

  /** Of a call that some mutations made wrong. */
  with(...changes: Change[]): string {
    const call = this.good()
    for (const change of changes) change(call)
    return this.refusal(call)
  }

  /** The sizes that buffers must have, and which numbers are sizes, from the errors. */
  #measure(): void {
    const { name, arguments: all, numbers: places } = this.#op
    const isPoison = (message: string) =>
      new RegExp(`^${name}: ${all[this.last]!.field}(\\[1\\])?: wanted a buffer$`).test(message)
    const wantedIn = (message: string) => {
      const found = /: (\w+)(?:\[\d+\])?: wanted (?:\[.*\], )?(\d+) elements, got/.exec(message)
      if (found === null) throw new Error(`a refusal that says no size: ${message}`)
      return { field: found[1]!, count: Number(found[2]) }
    }
    const isOf = (each: Argument, field: string) =>
      // The gradient in weights has their name in the description.
      each.field === field || each.field === `d${field[0]!.toUpperCase()}${field.slice(1)}`
    this.#fromFirst = this.with(this.poison).endsWith('that fit each other')
    for (let round = 0; round <= all.length; round++) {
      const message = this.with(this.poison)
      if (isPoison(message)) break
      const { field, count } = wantedIn(message)
      all.forEach((each, i) => {
        if (isOf(each, field)) this.#elements[i] = count
      })
    }
    expect(this.with(this.poison), 'a good call but for the poison').toSatisfy(isPoison)
    all.forEach((each, i) => {
      if (each.kind !== 'list' && (each.kind !== 'buffer' || i !== this.last)) return
      const message = this.with(({ values }) => {
        values[i] = each.kind === 'list' ? [bufferOf(ODD), 3] : bufferOf(ODD)
      })
      if (each.kind === 'list' && message.endsWith(`${each.field}[1]: wanted a buffer`)) this.any.add(each)
      else this.#elements[i] = wantedIn(message).count
    })
    places.forEach((place, i) => {
      if (place.kind !== 'plain') return
      const message = this.with(this.poison, call => {
        call.numbers[i] = Number.NaN
      })
      if (message.startsWith(`${name}: ${place.field}: wanted an integer`)) this.sizes.push(i)
      else expect(place.named, `${name}: ${place.field} is in a shape, and may be NaN`).toBe(false)
    })
  }
}
const NOTHING = Symbol('no arguments')

/** Wrong values of an argument, each of which is rejected whatever the others are. */
function wrongValues(door: Door, each: Argument, i: number): unknown[] {
  const ok = bufferOf(door.elements(i))
  const none = each.nullable ? [] : [null, undefined]
  if (each.kind === 'buffer') {
    const short = [door.elements(i) + 1, Math.abs(door.elements(i) - 1), ODD].map(bufferOf)
    return [...STRANGE, ...none, ...short, ...(each.born ? [] : [released]), [ok]]
  }
  if (each.kind === 'offsets') {
    const arrays = [Float32Array, Float64Array, Uint32Array, Int16Array, Int8Array].map(kind => kind.of(0, 1))
    const numbers = [[], [1, 2], [0, 2, 1], [0, -1], [-1, 0], [2 ** 31 - 1], [0, 5, 4, 9]]
    return [...STRANGE, ...none, [0, 1], ...arrays, ...numbers.map(given => Int32Array.from(given)), ok]
  }
  if (each.kind === 'doubles') {
    const count = TENSORS * each.each
    const lengths = [0, count - 1, count + 1, 1000].map(length => new Float64Array(length).fill(1))
    const arrays = [new Float32Array(count), new Int32Array(2 * count), new Array(count).fill(1)]
    const numbers = each.sizes ? SIZES.map(size => new Float64Array(count).fill(size)) : []
    return [...STRANGE, null, undefined, ...lengths, ...arrays, ...numbers, ok]
  }
  const elements = [...STRANGE, released].map(strange => [ok, strange])
  const lengths = [[], [ok], [ok, ok, ok], new Array(1000).fill(ok)]
  const short = door.any.has(each)
    ? []
    : [
        [ok, bufferOf(ODD)],
        [bufferOf(door.elements(i) + 1), ok],
      ]
  return [...STRANGE, null, undefined, ok, ...elements, ...lengths, ...short]
}

/** Of one list alone another length is right. */
function isFree(op: ContractOp, i: number): boolean {
  const others = op.arguments.filter(
    (each, other) => other !== i && (each.kind === 'list' || each.kind === 'doubles'),
  )
  return op.arguments[i]!.kind === 'list' && others.length === 0
}

function mutationsOf(op: ContractOp, door: Door): Mutation[] {
  const found: Mutation[] = []
  op.arguments.forEach((each, i) => {
    for (const value of wrongValues(door, each, i)) {
      if (isFree(op, i) && Array.isArray(value) && value.every(one => one === value[0])) continue
      const change: Change = ({ values }) => {
        values[i] = value
      }
      found.push({ place: each.field + i, change })
    }
  })
  op.numbers.forEach(({ field, kind }, i) => {
    const wrong = { shape: SIZES, strides: STRIDES, choice: [...SIZES, 99], plain: SIZES, flag: [] }[kind]
    if (kind === 'plain' && !door.sizes.includes(i)) return
    for (const value of wrong) {
      const change: Change = call => {
        call.numbers[i] = value
      }
      found.push({ place: `numbers ${field} ${i}`, change })
    }
  })
  const devices = [...STRANGE.filter(each => each !== queue), null, undefined, bufferOf(1), NOTHING]
  for (const value of devices) {
    const change: Change = call => {
      call.device = value
    }
    found.push({ place: 'device', change })
  }
  for (const count of [1, 2, 40]) {
    const fewer: Change = ({ values }) => {
      values.length = Math.max(0, values.length - count)
    }
    const more: Change = ({ values }) => {
      values.push(...new Array<unknown>(count).fill(bufferOf(1)))
    }
    found.push({ place: 'count', change: fewer }, { place: 'count', change: more })
  }
  return found
}

describe('every op rejects arguments that the wrappers never pass', () => {
  const names = Object.keys(addon.raw)

  test('every op is driven', () => {
    expect(contractOps.map(({ name }) => name).sort()).toEqual(names.sort())
  })

  test.each(contractOps.map(op => [op.name, op] as const))('%s', async (name, op) => {
    const door = new Door(op)
    const mutations = mutationsOf(op, door)
    await cpu.synchronize()
    const held = cpu.memory().held
    const wrong = (message: string) =>
      !message.startsWith(`${name}: `) && message !== 'packed-rnn: wanted a device'
    for (const { change } of mutations) expect(door.with(change)).not.toSatisfy(wrong)
    const generator = new Generator(1)
    for (let round = 0; round < 300; round++) {
      // One in a place.
      const several = new Map<string, Change>()
      for (let drawn = 2 + generator.below(2); drawn > 0; drawn--) {
        const { place, change } = mutations[generator.below(mutations.length)]!
        several.set(place, change)
      }
      expect(door.with(...several.values())).not.toSatisfy(wrong)
    }
    await cpu.synchronize()
    expect(cpu.memory().held, 'nothing was issued').toBe(held)
    using x = tensor([-1, 2], [2], { device: cpu })
    using y = relu(x)
    expect([...(await y.toArray())]).toEqual([0, 2])
  })
})
