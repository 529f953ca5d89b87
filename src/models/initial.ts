import type { Module } from '../nn/index.js'
import type { Generator } from '../random.js'

/** How the parameters of a model start. */
export type Initial =
  /** As each layer of its own: uniform on ±1/√n. */
  | { kind: 'layers' }
  /** All of them uniform on ±bound. */
  | { kind: 'uniform'; bound: number }
  /** All of them normal with mean 0; with `zeroBias` the biases are 0. */
  | { kind: 'normal'; std: number; zeroBias?: boolean }

/** Draws the parameters of a model anew, in the order of `namedParameters`. */
export function initialise(model: Module, initial: Initial, generator: Generator): void {
  if (initial.kind === 'layers') return
  for (const [name, each] of model.namedParameters()) {
    const values = new Float32Array(each.size)
    const zero = initial.kind === 'normal' && initial.zeroBias === true && name.includes('bias')
    for (let i = 0; i < values.length && !zero; i++) {
      values[i] =
        initial.kind === 'uniform'
          ? generator.uniform(-initial.bound, initial.bound)
          : initial.std * generator.normal()
    }
    each.assign(values)
  }
}
