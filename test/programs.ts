import { spawnSync } from 'node:child_process'
import { createRequire } from 'node:module'
import { expect } from 'vitest'

/** The programs in pages and docstrings: compiling them, and comparing their output with their comments. */

/** A program and the file that a test writes it to. */
export interface Program {
  file: string
  code: string
}

const compiler = createRequire(import.meta.url).resolve('typescript/bin/tsc')

/** Compiles TypeScript files in one call, each to JavaScript beside it. Returns what the compiler reports. */
export function compile(files: readonly string[]): string {
  const options = '--strict --module nodenext --target es2023 --lib es2023,esnext.disposable --types node'
  const args = [compiler, ...options.split(' '), '--skipLibCheck', ...files]
  return spawnSync(process.execPath, args, { encoding: 'utf8' }).stdout
}

/** The comments after `console.log(…)` and `print(…)`: lines that the program must print in this order. */
export function promised(code: string): string[] {
  return [...code.matchAll(/^ *(?:console\.log|print)\(.*\) +(?:\/\/|#) (.*)$/gm)].map(([, text]) => text!)
}

/** Fails unless the output has every promised line, in order. */
export function expectPromised(program: Program, output: string): void {
  // Node prints [ 2, 3 ] where a comment has [2, 3].
  const lines = output.split('\n').map(line => line.replaceAll('[ ', '[').replaceAll(' ]', ']'))
  let from = 0
  for (const line of promised(program.code)) {
    const found = lines.indexOf(line, from)
    expect(
      found,
      `${program.file}: wanted the line '${line}', got\n${lines.slice(from).join('\n')}`,
    ).not.toBe(-1)
    from = found + 1
  }
}
