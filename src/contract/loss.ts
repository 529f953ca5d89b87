// Made by `npm run generate` from native/ops/loss.h. Do not edit.
import { type NativeBuffer, type NativeDevice, numbers, raw } from '../nativeAddon.js'

export interface CrossEntropy {
  rows: number
  classes: number
  ignoreIndex: number
  labelSmoothing: number
  mean: boolean
  normalized: boolean
  /** float32 [rows, classes], read. */
  logits: NativeBuffer
  /** int32 [rows], read. */
  labels: NativeBuffer
  /** float32 [classes], read. */
  weight: NativeBuffer | null
  /** float32 [one], written. */
  loss: NativeBuffer
  /** float32 [rows], written. */
  losses: NativeBuffer | null
  /** float32 [rows, classes], written. */
  gradient: NativeBuffer | null
}

export function crossEntropy(device: NativeDevice, of: CrossEntropy): void {
  numbers[0] = of.rows
  numbers[1] = of.classes
  numbers[2] = of.ignoreIndex
  numbers[3] = of.labelSmoothing
  numbers[4] = of.mean ? 1 : 0
  numbers[5] = of.normalized ? 1 : 0
  raw.crossEntropy(device, of.logits, of.labels, of.weight, of.loss, of.losses, of.gradient)
}
