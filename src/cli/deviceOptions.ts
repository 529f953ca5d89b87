import { type Device, type DeviceOptions, device } from '../device.js'
import { choiceOption, integerOption, textOption, type ValuesOf } from './options.js'

/** The options that say what a command runs on. */
export const deviceOptions = {
  device: textOption('NAME', 'cpu, cuda or cuda:N; default: the best that opens'),
  precision: choiceOption(
    'of matrix products: float32 (default on the CPU), tf32 (default on CUDA, and only\n' +
      'there), or bfloat16 (not on every CPU)',
    ['tf32', 'float32', 'bfloat16'],
  ),
  threads: integerOption(
    "of the CPU, which is then used if no device is named; default all cores, or a container's\n" +
      'CPU quota',
    1,
  ),
} as const

/** What `device()` takes. */
export interface DeviceChoice {
  kind: string | undefined
  options: DeviceOptions
}

/** What was chosen. */
export function deviceChoice({
  device: kind,
  precision,
  threads,
}: Partial<ValuesOf<typeof deviceOptions>>): DeviceChoice {
  return {
    kind,
    options: { ...(threads !== undefined && { threads }), ...(precision !== undefined && { precision }) },
  }
}

export function openDevice({ kind, options }: DeviceChoice): Device {
  return device(kind, options)
}
