// Made by `npm run generate` from native/ops/clip.h. Do not edit.
import { type NativeBuffer, type NativeDevice, numbers, raw } from '../nativeAddon.js'

export interface ClipNorm {
  /** One a tensor. */
  columns: readonly number[]
  /** One a tensor. */
  tableRows: readonly number[]
  /** int32, read. */
  ids: readonly (NativeBuffer | null)[]
  largest: boolean
  mustBeFinite: boolean
  maxNorm: number
  /** float32, updated. */
  values: readonly (NativeBuffer | null)[]
  /** float32 [single], written. */
  total: NativeBuffer
}

export function clipNorm(device: NativeDevice, of: ClipNorm): void {
  numbers[0] = of.largest ? 1 : 0
  numbers[1] = of.mustBeFinite ? 1 : 0
  numbers[2] = of.maxNorm
  raw.clipNorm(
    device,
    new Float64Array(of.columns),
    new Float64Array(of.tableRows),
    of.ids,
    of.values,
    of.total,
  )
}

export interface ClipValue {
  limit: number
  /** float32, updated. */
  values: readonly (NativeBuffer | null)[]
}

export function clipValue(device: NativeDevice, of: ClipValue): void {
  numbers[0] = of.limit
  raw.clipValue(device, of.values)
}
