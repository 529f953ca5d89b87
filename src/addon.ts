import { readdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { PackedRnnError } from './errors.js'

const require = createRequire(import.meta.url)
const packageFolder = fileURLToPath(new URL('..', import.meta.url))
const platform = `${process.platform}-${process.arch}`

/** What makes the addon where there is none that works. */
const REMEDY = 'compile it with `npx packed-rnn build`, which needs a C++20 compiler and cmake'

/**
 * The file of the native addon, in `build/Release` or else in `prebuilds`: for `native.ts` to load, and for
 * `packed-rnn doctor` to name also where it does not load.
 *
 * @throws PackedRnnError ERR_DEVICE_UNAVAILABLE where there is neither.
 */
export function addonFile(): string {
  const { path }: { path(directory: string): string } = require('node-gyp-build')
  try {
    return path(packageFolder)
  } catch (cause) {
    const libc = process.platform === 'linux' && glibcVersion() === null ? ' without glibc' : ''
    const message = `packed-rnn has no native addon for ${platform}${libc}: ${REMEDY}`
    throw new PackedRnnError('ERR_DEVICE_UNAVAILABLE', message, { cause })
  }
}

/** Why the addon does not load, and what to do. */
export function loadFailure(cause: unknown): PackedRnnError {
  // The loader's message may list every path it tried; its first line is the reason.
  const reason = cause instanceof Error ? cause.message.split('\n', 1)[0] : String(cause)
  const message = `packed-rnn cannot load its native addon: ${reason}: ${REMEDY}`
  return new PackedRnnError('ERR_DEVICE_UNAVAILABLE', message, { cause })
}

/** A folder in which the addon is looked for, and the addons in it; null where it is not looked at. */
export interface AddonPlace {
  folder: string
  files: string[] | null
}

/** Where node-gyp-build looks, in its order. The first that is for this platform is taken. */
export function addonPlaces(): AddonPlace[] {
  const home = process.env.PACKED_RNN_PREBUILD || packageFolder
  const prebuilds = join('prebuilds', platform)
  const ours = (folder: string) => ({ folder, files: process.env.PREBUILDS_ONLY ? null : addonsIn(folder) })
  const prebuilt = (folder: string) => ({ folder, files: addonsIn(folder) })
  return [
    ours(join(home, 'build', 'Release')),
    ours(join(home, 'build', 'Debug')),
    prebuilt(join(home, prebuilds)),
    prebuilt(join(dirname(process.execPath), prebuilds)),
  ]
}

function addonsIn(folder: string): string[] {
  try {
    return readdirSync(folder).filter(name => name.endsWith('.node'))
  } catch {
    return []
  }
}

/** The version of glibc that runs here, null where it is another libc, or where Node does not tell. */
export function glibcVersion(): string | null {
  const report: unknown = process.report.getReport()
  if (typeof report !== 'object' || report === null || !('header' in report)) return null
  const { header } = report
  if (typeof header !== 'object' || header === null || !('glibcVersionRuntime' in header)) return null
  return String(header.glibcVersionRuntime)
}
