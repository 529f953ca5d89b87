// Made by `npm run generate` from native/ops/reductions.h. Do not edit.
import { type NativeBuffer, type NativeDevice, numbers, raw } from '../nativeAddon.js'

export const reductions = {
  sum: 0,
  sumOfSquares: 1,
  max: 2,
  min: 3,
} as const

export interface Sum {
  count: number
  /** float32 [count], read. */
  values: NativeBuffer
  /** float32 [one], written. */
  out: NativeBuffer
}

export function sum(device: NativeDevice, of: Sum): void {
  numbers[0] = of.count
  raw.sum(device, of.values, of.out)
}

export interface Reduce {
  /** One of `reductions`. */
  reduction: number
  outer: number
  n: number
  inner: number
  scale: number
  /** float32 [outer, n, inner], read. */
  x: NativeBuffer
  /** float32 [outer, inner], written. */
  y: NativeBuffer
  /** int32 [outer, inner], written. */
  places: NativeBuffer | null
}

export function reduce(device: NativeDevice, of: Reduce): void {
  numbers[0] = of.reduction
  numbers[1] = of.outer
  numbers[2] = of.n
  numbers[3] = of.inner
  numbers[4] = of.scale
  raw.reduce(device, of.x, of.y, of.places)
}

export interface CumulativeSum {
  outer: number
  n: number
  inner: number
  reversed: boolean
  /** float32 [outer, n, inner], read. */
  x: NativeBuffer
  /** float32 [outer, n, inner], written. */
  y: NativeBuffer
}

export function cumulativeSum(device: NativeDevice, of: CumulativeSum): void {
  numbers[0] = of.outer
  numbers[1] = of.n
  numbers[2] = of.inner
  numbers[3] = of.reversed ? 1 : 0
  raw.cumulativeSum(device, of.x, of.y)
}

export interface CumulativeMax {
  outer: number
  n: number
  inner: number
  /** float32 [outer, n, inner], read. */
  x: NativeBuffer
  /** float32 [outer, n, inner], written. */
  y: NativeBuffer
  /** int32 [outer, n, inner], written. */
  places: NativeBuffer
}

export function cumulativeMax(device: NativeDevice, of: CumulativeMax): void {
  numbers[0] = of.outer
  numbers[1] = of.n
  numbers[2] = of.inner
  raw.cumulativeMax(device, of.x, of.y, of.places)
}

export interface TopK {
  rows: number
  columns: number
  k: number
  largest: boolean
  /** float32 [rows, columns], read. */
  x: NativeBuffer
  /** float32 [rows, k], written. */
  values: NativeBuffer
  /** int32 [rows, k], written. */
  places: NativeBuffer
}

export function topK(device: NativeDevice, of: TopK): void {
  numbers[0] = of.rows
  numbers[1] = of.columns
  numbers[2] = of.k
  numbers[3] = of.largest ? 1 : 0
  raw.topK(device, of.x, of.values, of.places)
}
