import { readdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { PackedRnnError } from './errors.js'

const require = createRequire(import.meta.url)
const packageFolder = fileURLToPath(new URL('..', import.meta.url))
const platform = `${process.platform}-${process.arch}`

/** How to get an addon that works. */
const REMEDY = 'compile it with `npx packed-rnn build`, which needs a C++20 compiler and cmake'

/**
 * Returns the path of the native addon, in `build/Release` or else in `prebuilds`. `native.ts` loads it;
 * `packed-rnn doctor` names it even if it doesn't load.
 *
 * @throws PackedRnnError ERR_DEVICE_UNAVAILABLE if there is neither.
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

/** Returns the error for an addon that doesn't load: the reason and the remedy. */
export function loadFailure(cause: unknown): PackedRnnError {
  // The loader's message may list every path it tried; its first line is the reason.
  const reason = cause instanceof Error ? cause.message.split('\n', 1)[0] : String(cause)
  const message = `packed-rnn cannot load its native addon: ${reason}: ${REMEDY}`
  return new PackedRnnError('ERR_DEVICE_UNAVAILABLE', message, { cause })
}

/** A folder that is searched for the addon, and the addons in it; `files` is null if the folder is skipped. */
export interface AddonPlace {
  folder: string
  files: string[] | null
}

/** Returns the folders that node-gyp-build searches, in its order. It takes the first addon for this platform. */
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

/** Returns the version of glibc in use; null for another libc, or if Node doesn't report it. */
export function glibcVersion(): string | null {
  const report: unknown = process.report.getReport()
  if (typeof report !== 'object' || report === null || !('header' in report)) return null
  const { header } = report
  if (typeof header !== 'object' || header === null || !('glibcVersionRuntime' in header)) return null
  return String(header.glibcVersionRuntime)
}
