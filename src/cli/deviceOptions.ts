import { type Device, type DeviceOptions, device } from '../device.js'
import { choiceOption, optionalInteger } from './options.js'

/** The options that say what a command runs on, for `parse`. */
export const deviceOptions = {
  device: { type: 'string' },
  precision: { type: 'string' },
  threads: { type: 'string' },
} as const

/** Their part of a command's usage. */
export const deviceUsage = `\
  --device NAME      cpu, cuda or cuda:N; default the best there is
  --precision NAME   of products of matrices: float32 (the CPU's default), tf32 (cuda's, and only
                     there), or bfloat16 (not on every CPU)
  --threads N        of the CPU, which they choose where no device is named; default all cores, in a
                     container no more than its CPU quota`

export interface DeviceValues {
  device?: string | undefined
  precision?: string | undefined
  threads?: string | undefined
}

/** What `device()` takes. */
export interface DeviceChoice {
  kind: string | undefined
  options: DeviceOptions
}

/** @throws UsageError for a number of threads or a precision that is none. */
export function deviceChoice(values: DeviceValues): DeviceChoice {
  const threads = optionalInteger('threads', values.threads, 1)
  const precision =
    values.precision === undefined
      ? undefined
      : choiceOption('precision', values.precision, ['tf32', 'float32', 'bfloat16'])
  return {
    kind: values.device,
    options: { ...(threads !== undefined && { threads }), ...(precision !== undefined && { precision }) },
  }
}

export function openDevice({ kind, options }: DeviceChoice): Device {
  return device(kind, options)
}
