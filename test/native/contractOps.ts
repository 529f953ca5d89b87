import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/** The ops of src/contract as their generated text says: where numbers stand, and what goes in which argument. */

/** A place of `numbers`. */
export interface NumberPlace {
  field: string
  /** A flag is any number; a plain one may be a size or any number. */
  kind: 'plain' | 'choice' | 'flag' | 'shape' | 'strides'
  /** Whether a buffer's shape names it: then it is a size. */
  named: boolean
}

/** An argument behind the device. */
export interface Argument {
  field: string
  kind: 'buffer' | 'list' | 'offsets' | 'doubles'
  nullable: boolean
  /** Whether the op brings the memory about: then a handle without memory serves. */
  born: boolean
  /** Of doubles: how many a tensor has, and whether they are sizes. */
  each: number
  sizes: boolean
}

export interface ContractOp {
  name: string
  numbers: readonly NumberPlace[]
  arguments: readonly Argument[]
}

interface FieldText {
  type: string
  comment: string
}

function fieldsOf(body: string): Map<string, FieldText> {
  const found = new Map<string, FieldText>()
  for (const [, comment = '', name = '', type = ''] of body.matchAll(
    /(?:\/\*\* (.*?) \*\/\s*)?(\w+): (.+)/g,
  )) {
    found.set(name, { type, comment })
  }
  return found
}

/** The parts between the commas that stand in no bracket. */
function partsOf(list: string): string[] {
  const parts = ['']
  let depth = 0
  for (const letter of list) {
    if ('([{'.includes(letter)) depth++
    if (')]}'.includes(letter)) depth--
    if (letter === ',' && depth === 0) parts.push('')
    else parts[parts.length - 1] += letter
  }
  return parts.map(part => part.trim()).filter(part => part !== '')
}

function argumentOf(text: string, fields: Map<string, FieldText>): Argument {
  const field = /of\.(\w+)/.exec(text)?.[1] ?? ''
  const { type = '', comment = '' } = fields.get(field) ?? {}
  const common = { field, nullable: false, born: false, each: 0, sizes: false }
  if (text.startsWith('new Float64Array')) {
    const members = text.match(/\bone\./g)?.length ?? 0
    return { ...common, kind: 'doubles', each: Math.max(1, members), sizes: members === 0 }
  }
  const nullable = type.endsWith('| null') || type === 'PerDirection'
  const born = /\bwritten\b/.test(comment)
  if (type.startsWith('Int32Array')) return { ...common, kind: 'offsets', nullable }
  if (type.startsWith('readonly')) return { ...common, kind: 'list' }
  if (type.startsWith('NativeBuffer') || type === 'PerDirection') {
    return { ...common, kind: 'buffer', nullable, born }
  }
  throw new Error(`no argument that is known: ${text}: ${type}`)
}

function numberOf(match: RegExpExecArray, fields: Map<string, FieldText>, shapes: string): NumberPlace {
  const [, , field = '', , otherwise, flag] = match
  const choice = fields.get(field)?.comment.startsWith('One of') === true
  const array = otherwise === undefined ? undefined : otherwise === '1' ? 'shape' : 'strides'
  const kind = array ?? (flag !== undefined ? 'flag' : choice ? 'choice' : 'plain')
  return { field, kind, named: new RegExp(`\\b${field}\\b`).test(shapes) }
}

function opsIn(text: string): ContractOp[] {
  const interfaces = new Map<string, string>()
  for (const [, name = '', body = ''] of text.matchAll(/export interface (\w+) \{\n([\s\S]*?)\n\}/g)) {
    interfaces.set(name, body)
  }
  const functions = text.matchAll(
    /export function (\w+)\(device: NativeDevice, of: (\w+)\): void \{\n([\s\S]*?)\n\}/g,
  )
  return Array.from(functions, ([, name = '', type = '', body = '']) => {
    const fields = fieldsOf(interfaces.get(type) ?? '')
    const shapes = [...fields.values()].flatMap(({ comment }) => comment.match(/\[.*?\]/g) ?? []).join()
    const call = new RegExp(`raw\\.${name}\\(([\\s\\S]*)\\)\\s*$`).exec(body)?.[1] ?? ''
    const places = [...body.matchAll(/numbers\[(\d+)\] = of\.(\w+)(?:\[(\d)\] \?\? (\d))?( \? 1 : 0)?/g)]
    const [device, ...others] = partsOf(call)
    if (device !== 'device' || others.length === 0) throw new Error(`${name}: no call of raw that is known`)
    if (places.some((place, i) => Number(place[1]) !== i)) throw new Error(`${name}: numbers out of order`)
    return {
      name,
      numbers: places.map(place => numberOf(place, fields, shapes)),
      arguments: others.map(each => argumentOf(each, fields)),
    }
  })
}

const folder = fileURLToPath(new URL('../../src/contract/', import.meta.url))

export const contractOps: readonly ContractOp[] = readdirSync(folder)
  .sort()
  .flatMap(file => opsIn(readFileSync(folder + file, 'utf8')))
