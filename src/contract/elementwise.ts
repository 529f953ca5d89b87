// Made by `npm run generate` from native/ops/elementwise.h. Do not edit.
import { type NativeBuffer, type NativeDevice, numbers, raw } from '../nativeAddon.js'

export const functions = {
  copy: 0,
  neg: 1,
  exp: 2,
  log: 3,
  sqrt: 4,
  abs: 5,
  softplus: 6,
  sigmoid: 7,
  tanh: 8,
  relu: 9,
  gelu: 10,
  add: 11,
  sub: 12,
  mul: 13,
  div: 14,
  pow: 15,
  maximum: 16,
  minimum: 17,
  eq: 18,
  gt: 19,
  lt: 20,
  where: 21,
  clamp: 22,
  within: 23,
  sqrtBackward: 24,
  absBackward: 25,
  softplusBackward: 26,
  sigmoidBackward: 27,
  tanhBackward: 28,
  reluBackward: 29,
  geluBackward: 30,
  divBackward: 31,
  powBackward: 32,
  powBackwardExponent: 33,
  maximumBackward: 34,
  minimumBackward: 35,
} as const

export interface Elementwise {
  /** One of `functions`. */
  function: number
  /** At most four dimensions; those that are not there are 1. */
  shape: readonly number[]
  /** In elements, one a dimension. */
  stridesA: readonly number[]
  /** In elements, one a dimension. */
  stridesB: readonly number[]
  /** In elements, one a dimension. */
  stridesC: readonly number[]
  numberA: number
  numberB: number
  numberC: number
  /** float32 [spanA], read. */
  a: NativeBuffer | null
  /** float32 [spanB], read. */
  b: NativeBuffer | null
  /** float32 [spanC], read. */
  c: NativeBuffer | null
  /** float32 [count], written. */
  out: NativeBuffer
}

export function elementwise(device: NativeDevice, of: Elementwise): void {
  numbers[0] = of.function
  numbers[1] = of.shape[0] ?? 1
  numbers[2] = of.shape[1] ?? 1
  numbers[3] = of.shape[2] ?? 1
  numbers[4] = of.shape[3] ?? 1
  numbers[5] = of.stridesA[0] ?? 0
  numbers[6] = of.stridesA[1] ?? 0
  numbers[7] = of.stridesA[2] ?? 0
  numbers[8] = of.stridesA[3] ?? 0
  numbers[9] = of.stridesB[0] ?? 0
  numbers[10] = of.stridesB[1] ?? 0
  numbers[11] = of.stridesB[2] ?? 0
  numbers[12] = of.stridesB[3] ?? 0
  numbers[13] = of.stridesC[0] ?? 0
  numbers[14] = of.stridesC[1] ?? 0
  numbers[15] = of.stridesC[2] ?? 0
  numbers[16] = of.stridesC[3] ?? 0
  numbers[17] = of.numberA
  numbers[18] = of.numberB
  numbers[19] = of.numberC
  raw.elementwise(device, of.a, of.b, of.c, of.out)
}

export interface CopyStrided {
  /** At most four dimensions; those that are not there are 1. */
  shape: readonly number[]
  /** In elements, one a dimension. */
  sourceStrides: readonly number[]
  /** In elements, one a dimension. */
  destinationStrides: readonly number[]
  sourceFirst: number
  destinationFirst: number
  sourceCount: number
  destinationCount: number
  /** float32 [sourceCount], read. */
  source: NativeBuffer
  /** float32 [destinationCount], written in part. */
  destination: NativeBuffer
}

export function copyStrided(device: NativeDevice, of: CopyStrided): void {
  numbers[0] = of.shape[0] ?? 1
  numbers[1] = of.shape[1] ?? 1
  numbers[2] = of.shape[2] ?? 1
  numbers[3] = of.shape[3] ?? 1
  numbers[4] = of.sourceStrides[0] ?? 0
  numbers[5] = of.sourceStrides[1] ?? 0
  numbers[6] = of.sourceStrides[2] ?? 0
  numbers[7] = of.sourceStrides[3] ?? 0
  numbers[8] = of.destinationStrides[0] ?? 0
  numbers[9] = of.destinationStrides[1] ?? 0
  numbers[10] = of.destinationStrides[2] ?? 0
  numbers[11] = of.destinationStrides[3] ?? 0
  numbers[12] = of.sourceFirst
  numbers[13] = of.destinationFirst
  numbers[14] = of.sourceCount
  numbers[15] = of.destinationCount
  raw.copyStrided(device, of.source, of.destination)
}

export interface Fill {
  count: number
  value: number
  /** float32 [one], read. */
  from: NativeBuffer | null
  /** float32 [count], written. */
  out: NativeBuffer
}

export function fill(device: NativeDevice, of: Fill): void {
  numbers[0] = of.count
  numbers[1] = of.value
  raw.fill(device, of.from, of.out)
}
