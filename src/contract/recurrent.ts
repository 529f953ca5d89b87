// Made by `npm run generate` from native/ops/recurrent.h. Do not edit.
import { type NativeBuffer, type NativeDevice, numbers, type PerDirection, raw } from '../nativeAddon.js'

export const cells = {
  lstm: 0,
  gru: 1,
  resetFirstGru: 2,
  elmanTanh: 3,
  elmanRelu: 4,
} as const

export interface RecurrentForward {
  /** One of `cells`. */
  cell: number
  inputSize: number
  hiddenSize: number
  projectionSize: number
  directions: number
  rows: number
  distinctRows: number
  layer: number
  layers: number
  /** Offsets [B + 1], from 0 to N, not decreasing. */
  sequences: Int32Array
  /** float32 [distinctRows, inputSize], read. */
  x: NativeBuffer
  /** int32 [rows], read. */
  index: NativeBuffer | null
  /** int32 [groups], read. */
  starts: NativeBuffer | null
  /** int32 [rows], read. */
  order: NativeBuffer | null
  /** float32 [gates, inputSize], read. */
  wIh: PerDirection
  /** float32 [gates, R], read. */
  wHh: PerDirection
  /** float32 [gates], read. */
  bIh: PerDirection
  /** float32 [gates], read. */
  bHh: PerDirection
  /** float32 [projectionSize, hiddenSize], read. */
  wHr: PerDirection
  /** float32 [layers, states, R], read. */
  h0: NativeBuffer | null
  /** float32 [layers, states, hiddenSize], read. */
  c0: NativeBuffer | null
  /** float32 [rows, outputs], written. */
  output: NativeBuffer
  /** float32 [layers, states, R], written. */
  hN: NativeBuffer
  /** float32 [layers, states, hiddenSize], written. */
  cN: NativeBuffer | null
  /** float32 [savedCount], written. */
  saved: NativeBuffer | null
}

export function recurrentForward(device: NativeDevice, of: RecurrentForward): void {
  numbers[0] = of.cell
  numbers[1] = of.inputSize
  numbers[2] = of.hiddenSize
  numbers[3] = of.projectionSize
  numbers[4] = of.directions
  numbers[5] = of.rows
  numbers[6] = of.distinctRows
  numbers[7] = of.layer
  numbers[8] = of.layers
  raw.recurrentForward(
    device,
    of.sequences,
    of.x,
    of.index,
    of.starts,
    of.order,
    of.wIh[0] ?? null,
    of.wIh[1] ?? null,
    of.wHh[0] ?? null,
    of.wHh[1] ?? null,
    of.bIh[0] ?? null,
    of.bIh[1] ?? null,
    of.bHh[0] ?? null,
    of.bHh[1] ?? null,
    of.wHr[0] ?? null,
    of.wHr[1] ?? null,
    of.h0,
    of.c0,
    of.output,
    of.hN,
    of.cN,
    of.saved,
  )
}

export interface RecurrentBackward {
  /** One of `cells`. */
  cell: number
  inputSize: number
  hiddenSize: number
  projectionSize: number
  directions: number
  rows: number
  distinctRows: number
  layer: number
  layers: number
  /** Offsets [B + 1], from 0 to N, not decreasing. */
  sequences: Int32Array
  /** float32 [distinctRows, inputSize], read. */
  x: NativeBuffer
  /** int32 [rows], read. */
  index: NativeBuffer | null
  /** int32 [groups], read. */
  starts: NativeBuffer | null
  /** int32 [rows], read. */
  order: NativeBuffer | null
  /** float32 [gates, inputSize], read. */
  wIh: PerDirection
  /** float32 [gates, R], read. */
  wHh: PerDirection
  /** float32 [gates], read. */
  bIh: PerDirection
  /** float32 [gates], read. */
  bHh: PerDirection
  /** float32 [projectionSize, hiddenSize], read. */
  wHr: PerDirection
  /** float32 [layers, states, R], read. */
  h0: NativeBuffer | null
  /** float32 [layers, states, hiddenSize], read. */
  c0: NativeBuffer | null
  /** float32 [rows, outputs], read. */
  output: NativeBuffer
  /** float32 [savedCount], updated. */
  saved: NativeBuffer
  /** float32 [rows, outputs], read. */
  dOutput: NativeBuffer | null
  /** float32 [layers, states, R], read. */
  dHN: NativeBuffer | null
  /** float32 [layers, states, hiddenSize], read. */
  dCN: NativeBuffer | null
  /** float32 [distinctRows, inputSize], written. */
  dX: NativeBuffer | null
  /** float32 [gates, inputSize], written. */
  dWIh: PerDirection
  /** float32 [gates, R], written. */
  dWHh: PerDirection
  /** float32 [gates], written. */
  dBIh: PerDirection
  /** float32 [gates], written. */
  dBHh: PerDirection
  /** float32 [projectionSize, hiddenSize], written. */
  dWHr: PerDirection
  /** float32 [layers, states, R], written. */
  dH0: NativeBuffer | null
  /** float32 [layers, states, hiddenSize], written. */
  dC0: NativeBuffer | null
}

export function recurrentBackward(device: NativeDevice, of: RecurrentBackward): void {
  numbers[0] = of.cell
  numbers[1] = of.inputSize
  numbers[2] = of.hiddenSize
  numbers[3] = of.projectionSize
  numbers[4] = of.directions
  numbers[5] = of.rows
  numbers[6] = of.distinctRows
  numbers[7] = of.layer
  numbers[8] = of.layers
  raw.recurrentBackward(
    device,
    of.sequences,
    of.x,
    of.index,
    of.starts,
    of.order,
    of.wIh[0] ?? null,
    of.wIh[1] ?? null,
    of.wHh[0] ?? null,
    of.wHh[1] ?? null,
    of.bIh[0] ?? null,
    of.bIh[1] ?? null,
    of.bHh[0] ?? null,
    of.bHh[1] ?? null,
    of.wHr[0] ?? null,
    of.wHr[1] ?? null,
    of.h0,
    of.c0,
    of.output,
    of.saved,
    of.dOutput,
    of.dHN,
    of.dCN,
    of.dX,
    of.dWIh[0] ?? null,
    of.dWIh[1] ?? null,
    of.dWHh[0] ?? null,
    of.dWHh[1] ?? null,
    of.dBIh[0] ?? null,
    of.dBIh[1] ?? null,
    of.dBHh[0] ?? null,
    of.dBHh[1] ?? null,
    of.dWHr[0] ?? null,
    of.dWHr[1] ?? null,
    of.dH0,
    of.dC0,
  )
}
