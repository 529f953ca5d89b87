// Made by `npm run generate` from native/ops/attention.h. Do not edit.
import { type NativeBuffer, type NativeDevice, numbers, raw } from '../nativeAddon.js'

export interface DotAttention {
  /** Offsets [B + 1], from 0 to N, not decreasing. */
  queries: Int32Array
  /** Offsets [B + 1], from 0 to N, not decreasing. */
  keys: Int32Array
  width: number
  columns: number
  scale: number
  causal: boolean
  /** float32 [M, width], read. */
  query: NativeBuffer
  /** float32 [N, width], read. */
  key: NativeBuffer
  /** float32 [N, columns], read. */
  values: NativeBuffer
  /** float32 [pairs], written. */
  weights: NativeBuffer
  /** float32 [M, columns], written. */
  context: NativeBuffer
}

export function dotAttention(device: NativeDevice, of: DotAttention): void {
  numbers[0] = of.width
  numbers[1] = of.columns
  numbers[2] = of.scale
  numbers[3] = of.causal ? 1 : 0
  raw.dotAttention(device, of.queries, of.keys, of.query, of.key, of.values, of.weights, of.context)
}

export interface DotAttentionBackward {
  /** Offsets [B + 1], from 0 to N, not decreasing. */
  queries: Int32Array
  /** Offsets [B + 1], from 0 to N, not decreasing. */
  keys: Int32Array
  width: number
  columns: number
  scale: number
  causal: boolean
  /** float32 [M, width], read. */
  query: NativeBuffer
  /** float32 [N, width], read. */
  key: NativeBuffer
  /** float32 [N, columns], read. */
  values: NativeBuffer
  /** float32 [pairs], read. */
  weights: NativeBuffer
  /** float32 [M, columns], read. */
  dContext: NativeBuffer
  /** float32 [M, width], written. */
  dQuery: NativeBuffer | null
  /** float32 [N, width], written. */
  dKey: NativeBuffer | null
  /** float32 [N, columns], written. */
  dValues: NativeBuffer | null
}

export function dotAttentionBackward(device: NativeDevice, of: DotAttentionBackward): void {
  numbers[0] = of.width
  numbers[1] = of.columns
  numbers[2] = of.scale
  numbers[3] = of.causal ? 1 : 0
  raw.dotAttentionBackward(
    device,
    of.queries,
    of.keys,
    of.query,
    of.key,
    of.values,
    of.weights,
    of.dContext,
    of.dQuery,
    of.dKey,
    of.dValues,
  )
}

export interface AdditiveAttention {
  /** Offsets [B + 1], from 0 to N, not decreasing. */
  queries: Int32Array
  /** Offsets [B + 1], from 0 to N, not decreasing. */
  keys: Int32Array
  width: number
  columns: number
  /** float32 [M, width], read. */
  query: NativeBuffer
  /** float32 [N, width], read. */
  key: NativeBuffer
  /** float32 [N, columns], read. */
  values: NativeBuffer
  /** float32 [width], read. */
  v: NativeBuffer
  /** float32 [pairs], written. */
  weights: NativeBuffer
  /** float32 [M, columns], written. */
  context: NativeBuffer
}

export function additiveAttention(device: NativeDevice, of: AdditiveAttention): void {
  numbers[0] = of.width
  numbers[1] = of.columns
  raw.additiveAttention(
    device,
    of.queries,
    of.keys,
    of.query,
    of.key,
    of.values,
    of.v,
    of.weights,
    of.context,
  )
}

export interface AdditiveAttentionBackward {
  /** Offsets [B + 1], from 0 to N, not decreasing. */
  queries: Int32Array
  /** Offsets [B + 1], from 0 to N, not decreasing. */
  keys: Int32Array
  width: number
  columns: number
  /** float32 [M, width], read. */
  query: NativeBuffer
  /** float32 [N, width], read. */
  key: NativeBuffer
  /** float32 [N, columns], read. */
  values: NativeBuffer
  /** float32 [width], read. */
  v: NativeBuffer
  /** float32 [pairs], read. */
  weights: NativeBuffer
  /** float32 [M, columns], read. */
  dContext: NativeBuffer
  /** float32 [M, width], written. */
  dQuery: NativeBuffer | null
  /** float32 [N, width], written. */
  dKey: NativeBuffer | null
  /** float32 [N, columns], written. */
  dValues: NativeBuffer | null
  /** float32 [width], written. */
  dV: NativeBuffer | null
}

export function additiveAttentionBackward(device: NativeDevice, of: AdditiveAttentionBackward): void {
  numbers[0] = of.width
  numbers[1] = of.columns
  raw.additiveAttentionBackward(
    device,
    of.queries,
    of.keys,
    of.query,
    of.key,
    of.values,
    of.v,
    of.weights,
    of.dContext,
    of.dQuery,
    of.dKey,
    of.dValues,
    of.dV,
  )
}
