/** The package has no types: these are for what is used here. Names and numbers are those of libfvad's C interface. */
declare module '@echogarden/fvad-wasm' {
  export interface FvadModule {
    /** The module's memory, as 16-bit numbers: an address is divided by 2. */
    readonly HEAP16: Int16Array
    _malloc(bytes: number): number
    _free(address: number): void
    _fvad_new(): number
    _fvad_free(detector: number): void
    /** 0 on success. */
    _fvad_set_mode(detector: number, mode: number): number
    /** 0 on success. */
    _fvad_set_sample_rate(detector: number, sampleRate: number): number
    /** 1 for speech, 0 for none, -1 for a frame of a wrong length. */
    _fvad_process(detector: number, samplesAt: number, length: number): number
  }

  export default function fvad(): Promise<FvadModule>
}
