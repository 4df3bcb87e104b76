// Perceptually even colour maps, as tables of 256 packed pixels.
//
// The four coloured ones are those of matplotlib (CC0), stored as 64 of their 256 colours; what lies between
// is interpolated and differs from the originals by at most 3 of 255 levels.

const NODES = {
  viridis:
    "RAFURgdaRw1gRxNlSBhqSB1vSCN0SCh4Ry17RjJ+RTeBQz2EQkGGQEaIPkqJPE+KOlOLOFiMNlyNNGCNMmSOMWiOL2yOLXCO" +
    "LHOOKneOKXuOJ3+OJoKOJIaOI4qNIY6NIJKMH5aLH5qKH56JH6GHIaWFI6mDJq2BKrB/L7R8Nbd5O7t1Qr5xSsFtUsVpWshk" +
    "Y8tfbM1addBUf9NOidVIldhAoNo5qtwytd4rwN8lyuEf1eIa3+MY6uUa9OYe/ecl",
  magma:
    "AAAEAgEJAwMSBgUaCggiDgsrEw00GA89HRFHIhFQKRFaMRFlOBBsPw9yRRB3TBF6UhN8WRV+Xxh/ZRqAax2Bch+BeCKBfiSC" +
    "hCaBiymBkSuBmC2Ani9/pTF+qzN8sjV7ujh4wDp2xz1zzUBx00Nu2UZr30po5E9k6VRi7Vpf8WBd9Gdc9m5c+HZc+n1e+4Vg" +
    "/Ixj/ZRn/Ztr/qNv/qp0/rR7/ruB/sKH/sqN/tGU/tia/eCh/eep/O6w/Pa4/P2/",
  cividis:
    "ACJOACVUAChbACtiAC5qADBwBTNxEjVwGjhvITtuJz5uLkFtM0RtOEdsPEpsQExsRE9sSFJsTFVsUFdsVFptV11tW2BuXmNv" +
    "YmVvZWhwaWtxbG5ycHFzc3R1d3d2enp4fn14goB5hoN5ioZ4jol4kox4lY93mZJ3nZV2oZl1pZx0qZ9zraJysaVwtqlvuqxt" +
    "vq9rwrNpxrZny7llz71i1MFf2cVc3chY4cxV5tBR6tNM79dI89tC+N88/eM0/ug4",
  inferno:
    "AAAEAgEKBAMSBwUbCwckEAktFQs3GwxBIQxKKAtTLwpbOAliPglmRQppTAxrUg5tWRBuXxNuZRVubBhuchpueBxtfx5shSFr" +
    "jCNpkiVomCdmnypjpSxgqy9esTJatzVXvzlSxDxOykBKz0RG1EhC2U093lI44lc05l0v6mMq7Wkl8G8g83Yb9X0V94QQ+YsL" +
    "+pIH+5kG/KEI/KgN/LAU+7of+sIo+cky99E99dlJ9OFW8uhl8e918/WG9vqW/P+k",
};

export const COLOUR_MAPS = ["gray", ...Object.keys(NODES)];

const tables = new Map();

/** 256 RGBA pixels, each packed as the bytes of an ImageData lie in memory (little-endian). */
export function colourMap(name) {
  const known = COLOUR_MAPS.includes(name) ? name : "gray";
  if (!tables.has(known)) tables.set(known, known === "gray" ? gray() : interpolated(NODES[known]));
  return tables.get(known);
}

export function pack(red, green, blue, alpha = 255) {
  return ((alpha << 24) | (blue << 16) | (green << 8) | red) >>> 0;
}

function gray() {
  return Uint32Array.from({ length: 256 }, (_, i) => pack(i, i, i));
}

function interpolated(base64) {
  const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
  const nodes = bytes.length / 3;
  const at = (place, part) => bytes[3 * place + part];
  return Uint32Array.from({ length: 256 }, (_, level) => {
    const place = (level / 255) * (nodes - 1);
    const low = Math.min(Math.floor(place), nodes - 2);
    const mix = (part) => Math.round(at(low, part) + (place - low) * (at(low + 1, part) - at(low, part)));
    return pack(mix(0), mix(1), mix(2));
  });
}
