import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import { PackedRnnError } from './errors.js'

const require = createRequire(import.meta.url)

/**
 * The file of the native addon, in `build/Release` of a checkout or else in `prebuilds`: for `native.ts` to load, and for
 * `packed-rnn doctor` to name also where it does not load.
 *
 * @throws PackedRnnError ERR_DEVICE_UNAVAILABLE where there is neither.
 */
export function addonFile(): string {
  const { path }: { path(directory: string): string } = require('node-gyp-build')
  try {
    return path(fileURLToPath(new URL('..', import.meta.url)))
  } catch (cause) {
    throw new PackedRnnError(
      'ERR_DEVICE_UNAVAILABLE',
      `packed-rnn has no native addon for ${process.platform}-${process.arch}: ` +
        'run `npm run build:addon` in a checkout, which needs a C++ compiler and cmake',
      { cause },
    )
  }
}
