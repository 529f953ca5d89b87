// Made by `npm run generate` from native/ops/random.h. Do not edit.
import { type NativeBuffer, type NativeDevice, numbers, raw } from '../nativeAddon.js'

export const distributions = {
  uniform: 0,
  normal: 1,
} as const

export interface Dropout {
  rows: number
  columns: number
  directions: number
  /** Offsets [B + 1], from 0 to N, not decreasing. */
  sequences: Int32Array | null
  seed: number
  step: number
  stream: number
  p: number
  /** float32 [rows, columns], read. */
  x: NativeBuffer
  /** float32 [rows, columns], written. */
  y: NativeBuffer
}

export function dropout(device: NativeDevice, of: Dropout): void {
  numbers[0] = of.rows
  numbers[1] = of.columns
  numbers[2] = of.directions
  numbers[3] = of.seed
  numbers[4] = of.step
  numbers[5] = of.stream
  numbers[6] = of.p
  raw.dropout(device, of.sequences, of.x, of.y)
}

export interface Draw {
  /** One of `distributions`. */
  distribution: number
  count: number
  seed: number
  step: number
  stream: number
  /** float32 [count], written. */
  out: NativeBuffer
}

export function draw(device: NativeDevice, of: Draw): void {
  numbers[0] = of.distribution
  numbers[1] = of.count
  numbers[2] = of.seed
  numbers[3] = of.step
  numbers[4] = of.stream
  raw.draw(device, of.out)
}
