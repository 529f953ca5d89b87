// Made by `npm run generate` from native/ops/softmax.h. Do not edit.
import { type NativeBuffer, type NativeDevice, numbers, raw } from '../nativeAddon.js'

export interface Softmax {
  rows: number
  columns: number
  logarithm: boolean
  /** float32 [rows, columns], read. */
  x: NativeBuffer
  /** float32 [rows, columns], written. */
  y: NativeBuffer
}

export function softmax(device: NativeDevice, of: Softmax): void {
  numbers[0] = of.rows
  numbers[1] = of.columns
  numbers[2] = of.logarithm ? 1 : 0
  raw.softmax(device, of.x, of.y)
}

export interface SoftmaxBackward {
  rows: number
  columns: number
  logarithm: boolean
  /** float32 [rows, columns], read. */
  y: NativeBuffer
  /** float32 [rows, columns], read. */
  dY: NativeBuffer
  /** float32 [rows, columns], written. */
  dX: NativeBuffer
}

export function softmaxBackward(device: NativeDevice, of: SoftmaxBackward): void {
  numbers[0] = of.rows
  numbers[1] = of.columns
  numbers[2] = of.logarithm ? 1 : 0
  raw.softmaxBackward(device, of.y, of.dY, of.dX)
}

export interface SegmentSoftmax {
  /** Offsets [B + 1], from 0 to N, not decreasing. */
  sequences: Int32Array
  columns: number
  /** float32 [N, columns], read. */
  x: NativeBuffer
  /** float32 [N, columns], written. */
  y: NativeBuffer
}

export function segmentSoftmax(device: NativeDevice, of: SegmentSoftmax): void {
  numbers[0] = of.columns
  raw.segmentSoftmax(device, of.sequences, of.x, of.y)
}

export interface SegmentSoftmaxBackward {
  /** Offsets [B + 1], from 0 to N, not decreasing. */
  sequences: Int32Array
  columns: number
  /** float32 [N, columns], read. */
  y: NativeBuffer
  /** float32 [N, columns], read. */
  dY: NativeBuffer
  /** float32 [N, columns], written. */
  dX: NativeBuffer
}

export function segmentSoftmaxBackward(device: NativeDevice, of: SegmentSoftmaxBackward): void {
  numbers[0] = of.columns
  raw.segmentSoftmaxBackward(device, of.sequences, of.y, of.dY, of.dX)
}

export interface LayerNorm {
  rows: number
  columns: number
  epsilon: number
  /** float32 [rows, columns], read. */
  x: NativeBuffer
  /** float32 [columns], read. */
  weight: NativeBuffer | null
  /** float32 [columns], read. */
  bias: NativeBuffer | null
  /** float32 [rows, columns], written. */
  y: NativeBuffer
  /** float32 [rows], written. */
  mean: NativeBuffer
  /** float32 [rows], written. */
  rate: NativeBuffer
}

export function layerNorm(device: NativeDevice, of: LayerNorm): void {
  numbers[0] = of.rows
  numbers[1] = of.columns
  numbers[2] = of.epsilon
  raw.layerNorm(device, of.x, of.weight, of.bias, of.y, of.mean, of.rate)
}

export interface LayerNormBackward {
  rows: number
  columns: number
  /** float32 [rows, columns], read. */
  x: NativeBuffer
  /** float32 [columns], read. */
  weight: NativeBuffer | null
  /** float32 [rows], read. */
  mean: NativeBuffer
  /** float32 [rows], read. */
  rate: NativeBuffer
  /** float32 [rows, columns], read. */
  dY: NativeBuffer
  /** float32 [rows, columns], written. */
  dX: NativeBuffer | null
  /** float32 [rows, columns], written. */
  dWeights: NativeBuffer | null
}

export function layerNormBackward(device: NativeDevice, of: LayerNormBackward): void {
  numbers[0] = of.rows
  numbers[1] = of.columns
  raw.layerNormBackward(device, of.x, of.weight, of.mean, of.rate, of.dY, of.dX, of.dWeights)
}
