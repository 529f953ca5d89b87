import { readFile } from 'node:fs/promises'

/** Reads a file of float32 numbers. */
export async function readNumbers(file: string): Promise<Float32Array> {
  const { buffer } = Uint8Array.from(await readFile(file))
  return new Float32Array(buffer)
}
