import { checkNumber, checkWord } from '../check.js'
import type { Module, Parameter } from '../nn/index.js'
import type { Generator } from '../random.js'

/** How the parameters of a model start. */
export type Initial =
  /** As those of each layer. */
  | { kind: 'layers' }
  /** All of them uniform on ±bound. */
  | { kind: 'uniform'; bound: number }
  /** All of them normal with mean 0; with `zeroBias` the biases are 0. */
  | { kind: 'normal'; std: number; zeroBias?: boolean }

/** @throws PackedRnnError ERR_INVALID_ARGUMENT, ERR_OUT_OF_RANGE. */
export function checkInitial(op: string, initial: Initial): void {
  checkWord(op, 'initial.kind', initial.kind, ['layers', 'uniform', 'normal'])
  if (initial.kind === 'uniform') checkNumber(op, 'initial.bound', initial.bound, 0)
  if (initial.kind === 'normal') checkNumber(op, 'initial.std', initial.std, 0)
}

/** Draws the parameters of a model anew, in the order of `namedParameters`. */
export function initialise(model: Module, initial: Initial, generator: Generator): void {
  if (initial.kind === 'layers') return
  for (const [name, each] of model.namedParameters()) {
    if (initial.kind === 'uniform') {
      const { bound } = initial
      each.assign(Float32Array.from({ length: each.size }, () => generator.uniform(-bound, bound)))
    } else if (initial.zeroBias === true && name.includes('bias')) each.assign(new Float32Array(each.size))
    else drawNormal(each, initial.std, generator)
  }
}

/** Draws normal numbers with mean 0. */
export function drawNormal(parameter: Parameter, std: number, generator: Generator): void {
  parameter.assign(Float32Array.from({ length: parameter.size }, () => std * generator.normal()))
}
