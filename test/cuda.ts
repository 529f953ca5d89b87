import { type DeviceOptions, device, devices, type Precision } from '../src/device.js'
import type { Target } from './suite/target.js'

/** Why there is no CUDA device to test on, for the name of the test that is skipped; null where there is one. */
export function whyNoCuda(): string | null {
  const found = devices().filter(({ kind }) => kind === 'cuda')
  return found.some(({ code }) => code === null) ? null : (found[0]?.reason ?? 'no reason is known')
}

/** cuda:0 at a precision; `stepwise` is the second path of the recurrent ops. */
export function cudaTarget(precision: Precision, path: DeviceOptions['path'] & string = 'auto'): Target {
  return {
    name: path === 'auto' ? `cuda in ${precision}` : `cuda in ${precision}, ${path}`,
    precision,
    threads: [1],
    open: () => device('cuda', { precision, path }),
  }
}
