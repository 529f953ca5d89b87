// Tests an installed package on a platform without a prebuilt binary: its error says what to do, and that works.
import { existsSync, renameSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { which, withTools } from './bare.js'

/** Removes the prebuilds from the installed package, and checks the errors. */
export function testWithoutPrebuild(bare, say) {
  const installed = join(bare.project, 'node_modules/packed-rnn')
  renameSync(join(installed, 'prebuilds'), join(bare.project, 'prebuilds'))
  const caught = `import('packed-rnn').then(() => console.log('{}'), error => console.log(JSON.stringify({ ...error, text: error.message })))`
  const { code, text } = JSON.parse(bare.run('node', ['--eval', caught]))
  if (code !== 'ERR_DEVICE_UNAVAILABLE' || !text.includes('`npx packed-rnn build`'))
    throw new Error(
      `import without a prebuild: wanted ERR_DEVICE_UNAVAILABLE and instructions, got ${code}: ${text}`,
    )
  say(`without a prebuild: ${text}`)
  const complaint = bare.fails('npx', ['packed-rnn', 'build'])
  for (const what of ['a C++20 compiler', 'cmake', 'make'])
    if (!complaint.includes(`- ${what}`))
      throw new Error(`build without ${what}: wanted a message that names it, got ${complaint}`)
  say(complaint.trim())
}

/** Compiles the addon in both ways. Call this after testWithoutPrebuild. */
export function testFromSource(bare, say) {
  const build = join(bare.project, 'node_modules/packed-rnn/build')
  const tools = withTools(bare)
  for (const [name, command, words, cwd] of [
    ['npx packed-rnn build', 'npx', ['packed-rnn', 'build']],
    ['node-gyp rebuild', process.execPath, nodeGyp(), dirname(build)],
  ]) {
    rmSync(build, { recursive: true, force: true })
    bare.run(command, words, tools, cwd)
    if (!existsSync(join(build, 'Release/addon.node')))
      throw new Error(`${name}: wanted build/Release/addon.node`)
    bare.run('node', ['step.mjs'])
    say(`${name}: compiled, and a training step runs`)
  }
}

/** npm's own node-gyp, with the headers next to this Node if they exist. Otherwise it downloads them. */
function nodeGyp() {
  const npm = createRequire(createRequire(import.meta.url).resolve(which('npm')))
  const prefix = join(dirname(process.execPath), '..')
  const headers = existsSync(join(prefix, 'include/node/node_api.h')) ? [`--nodedir=${prefix}`] : []
  return [npm.resolve('node-gyp/bin/node-gyp.js'), 'rebuild', ...headers]
}
