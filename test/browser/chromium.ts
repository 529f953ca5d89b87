import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'
import { type Browser, chromium } from 'playwright-core'

/** The browser: the file that `CHROMIUM` names, else the first of these on the path. Null if there is no browser. */
export const browserFile: string | null =
  process.env.CHROMIUM ??
  (process.env.PATH ?? '')
    .split(delimiter)
    .flatMap(folder => ['chromium', 'chromium-browser', 'google-chrome'].map(name => join(folder, name)))
    .find(isProgram) ??
  null

/** For the names of tests, which skip where it is not empty. */
export const withoutBrowser = browserFile === null ? ' (skipped: no chromium on the path)' : ''

function isProgram(file: string): boolean {
  try {
    accessSync(file, constants.X_OK)
    return true
  } catch {
    return false
  }
}

/** Chromium without a window. It has no sandbox where its user is root, because Chromium starts none there. */
export function launch(): Promise<Browser> {
  if (browserFile === null) throw new Error('launch: wanted chromium on the path, got none')
  return chromium.launch({ executablePath: browserFile, chromiumSandbox: process.getuid?.() !== 0 })
}
