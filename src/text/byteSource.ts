import { readBytes } from '../files/read.js'

/** The bytes of a file that are read and not yet used: `bytes` from `at` on. */
export class ByteSource {
  bytes: Buffer = Buffer.alloc(0)
  at = 0
  readonly #chunks: AsyncGenerator<Buffer>

  constructor(file: string, signal: AbortSignal | undefined) {
    this.#chunks = readBytes(file, signal)
  }

  /** Reads on; what is not used yet then begins at 0. False at the end of the file. */
  async more(): Promise<boolean> {
    const chunk = await this.#chunks.next()
    if (chunk.done) return false
    this.bytes = Buffer.concat([this.bytes.subarray(this.at), chunk.value])
    this.at = 0
    return true
  }

  /** Reads until the end, for the sake of a damaged .gz, which shows there only. Whether there was more. */
  async drain(): Promise<boolean> {
    let left = false
    do {
      left ||= this.at < this.bytes.length
      this.at = this.bytes.length
    } while (await this.more())
    return left
  }

  /** Closes the file. */
  async close(): Promise<void> {
    await this.#chunks.return(undefined)
  }
}
