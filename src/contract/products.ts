// Made by `npm run generate` from native/ops/products.h. Do not edit.
import { type NativeBuffer, type NativeDevice, numbers, raw } from '../nativeAddon.js'

export interface Matmul {
  m: number
  n: number
  k: number
  transposeA: boolean
  transposeB: boolean
  /** float32 [m, k], read. */
  a: NativeBuffer
  /** float32 [k, n], read. */
  b: NativeBuffer
  /** float32 [n], read. */
  bias: NativeBuffer | null
  /** float32 [m, n], written. */
  c: NativeBuffer
}

export function matmul(device: NativeDevice, of: Matmul): void {
  numbers[0] = of.m
  numbers[1] = of.n
  numbers[2] = of.k
  numbers[3] = of.transposeA ? 1 : 0
  numbers[4] = of.transposeB ? 1 : 0
  raw.matmul(device, of.a, of.b, of.bias, of.c)
}

export interface BatchMatmul {
  batch: number
  m: number
  n: number
  k: number
  transposeA: boolean
  transposeB: boolean
  sameA: boolean
  sameB: boolean
  /** float32 [countA, m, k], read. */
  a: NativeBuffer
  /** float32 [countB, k, n], read. */
  b: NativeBuffer
  /** float32 [batch, m, n], written. */
  c: NativeBuffer
}

export function batchMatmul(device: NativeDevice, of: BatchMatmul): void {
  numbers[0] = of.batch
  numbers[1] = of.m
  numbers[2] = of.n
  numbers[3] = of.k
  numbers[4] = of.transposeA ? 1 : 0
  numbers[5] = of.transposeB ? 1 : 0
  numbers[6] = of.sameA ? 1 : 0
  numbers[7] = of.sameB ? 1 : 0
  raw.batchMatmul(device, of.a, of.b, of.c)
}
