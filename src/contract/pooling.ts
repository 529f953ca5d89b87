// Made by `npm run generate` from native/ops/pooling.h. Do not edit.
import { type NativeBuffer, type NativeDevice, numbers, raw } from '../nativeAddon.js'

export const poolings = {
  sum: 0,
  mean: 1,
  max: 2,
} as const

export interface SegmentReduce {
  /** One of `poolings`. */
  pooling: number
  /** Offsets [B + 1], from 0 to N, not decreasing. */
  sequences: Int32Array
  columns: number
  /** float32 [N, columns], read. */
  rows: NativeBuffer
  /** float32 [B, columns], written. */
  out: NativeBuffer
  /** int32 [B, columns], written. */
  places: NativeBuffer | null
}

export function segmentReduce(device: NativeDevice, of: SegmentReduce): void {
  numbers[0] = of.pooling
  numbers[1] = of.columns
  raw.segmentReduce(device, of.sequences, of.rows, of.out, of.places)
}

export interface SegmentRepeat {
  mean: boolean
  /** Offsets [B + 1], from 0 to N, not decreasing. */
  sequences: Int32Array
  columns: number
  /** float32 [B, columns], read. */
  values: NativeBuffer
  /** float32 [N, columns], written. */
  rows: NativeBuffer
}

export function segmentRepeat(device: NativeDevice, of: SegmentRepeat): void {
  numbers[0] = of.mean ? 1 : 0
  numbers[1] = of.columns
  raw.segmentRepeat(device, of.sequences, of.values, of.rows)
}

export interface SegmentPlace {
  /** Offsets [B + 1], from 0 to N, not decreasing. */
  sequences: Int32Array
  columns: number
  /** int32 [B, columns], read. */
  places: NativeBuffer
  /** float32 [B, columns], read. */
  values: NativeBuffer
  /** float32 [N, columns], written. */
  rows: NativeBuffer
}

export function segmentPlace(device: NativeDevice, of: SegmentPlace): void {
  numbers[0] = of.columns
  raw.segmentPlace(device, of.sequences, of.places, of.values, of.rows)
}
