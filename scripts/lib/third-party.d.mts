export const thirdPartyFile: string
export function thirdPartyLicences(): { name: string }
