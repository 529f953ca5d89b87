// Made by `npm run generate` from native/ops/rows.h. Do not edit.
import { type NativeBuffer, type NativeDevice, numbers, raw } from '../nativeAddon.js'

export interface GatherRows {
  rows: number
  columns: number
  sourceRows: number
  fill: number
  /** float32 [sourceRows, columns], read. */
  source: NativeBuffer
  /** int32 [rows], read. */
  index: NativeBuffer
  /** float32 [rows, columns], written. */
  destination: NativeBuffer
}

export function gatherRows(device: NativeDevice, of: GatherRows): void {
  numbers[0] = of.rows
  numbers[1] = of.columns
  numbers[2] = of.sourceRows
  numbers[3] = of.fill
  raw.gatherRows(device, of.source, of.index, of.destination)
}

export interface SumRows {
  rows: number
  columns: number
  sourceRows: number
  /** float32 [sourceRows, columns], read. */
  source: NativeBuffer
  /** int32 [groups], read. */
  starts: NativeBuffer
  /** int32 [sourceRows], read. */
  order: NativeBuffer
  /** float32 [rows, columns], written. */
  destination: NativeBuffer
}

export function sumRows(device: NativeDevice, of: SumRows): void {
  numbers[0] = of.rows
  numbers[1] = of.columns
  numbers[2] = of.sourceRows
  raw.sumRows(device, of.source, of.starts, of.order, of.destination)
}

export interface AddRows {
  rows: number
  columns: number
  destinationRows: number
  /** float32 [rows, columns], read. */
  source: NativeBuffer
  /** int32 [rows], read. */
  index: NativeBuffer
  /** float32 [destinationRows, columns], written in part. */
  destination: NativeBuffer
}

export function addRows(device: NativeDevice, of: AddRows): void {
  numbers[0] = of.rows
  numbers[1] = of.columns
  numbers[2] = of.destinationRows
  raw.addRows(device, of.source, of.index, of.destination)
}

export interface SumColumns {
  rows: number
  columns: number
  /** float32 [rows, columns], read. */
  source: NativeBuffer
  /** float32 [columns], written. */
  sums: NativeBuffer
}

export function sumColumns(device: NativeDevice, of: SumColumns): void {
  numbers[0] = of.rows
  numbers[1] = of.columns
  raw.sumColumns(device, of.source, of.sums)
}

export interface TakeAlong {
  outer: number
  n: number
  inner: number
  count: number
  each: boolean
  /** float32 [outer, n, inner], read. */
  x: NativeBuffer
  /** int32 [indices], read. */
  index: NativeBuffer
  /** float32 [outer, count, inner], written. */
  y: NativeBuffer
}

export function takeAlong(device: NativeDevice, of: TakeAlong): void {
  numbers[0] = of.outer
  numbers[1] = of.n
  numbers[2] = of.inner
  numbers[3] = of.count
  numbers[4] = of.each ? 1 : 0
  raw.takeAlong(device, of.x, of.index, of.y)
}

export interface AddAlong {
  outer: number
  n: number
  inner: number
  count: number
  each: boolean
  /** float32 [outer, count, inner], read. */
  x: NativeBuffer
  /** int32 [indices], read. */
  index: NativeBuffer
  /** float32 [outer, n, inner], written in part. */
  y: NativeBuffer
}

export function addAlong(device: NativeDevice, of: AddAlong): void {
  numbers[0] = of.outer
  numbers[1] = of.n
  numbers[2] = of.inner
  numbers[3] = of.count
  numbers[4] = of.each ? 1 : 0
  raw.addAlong(device, of.x, of.index, of.y)
}
