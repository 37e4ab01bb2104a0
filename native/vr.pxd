"""Value representations (PS3.5 6.2) as 16-bit codes: two letters, the first in the low byte, as on the wire."""

from libc.stdint cimport uint16_t, uint32_t

cdef extern from *:
    """
    #include <stdint.h>
    #include "vr_table.h"
    #define FR_VR(a, b) ((uint16_t)((uint8_t)(a) | ((uint16_t)(uint8_t)(b) << 8)))
    static inline uint16_t fr_vr_of(uint32_t tag) {
        int low = 0, high = FR_VR_COUNT - 1;
        if ((tag >> 16) & 1)
            return ((tag & 0xFFFF) >= 0x10 && (tag & 0xFFFF) <= 0xFF) ? FR_VR('L', 'O') : FR_VR('U', 'N');
        if (!(tag & 0xFFFF)) return FR_VR('U', 'L');
        while (low <= high) {
            int middle = (low + high) / 2;
            if (fr_vr_tags[middle] == tag)
                return FR_VR(fr_vr_names[2 * middle], fr_vr_names[2 * middle + 1]);
            if (fr_vr_tags[middle] < tag) low = middle + 1; else high = middle - 1;
        }
        return FR_VR('U', 'N');
    }
    static inline int fr_vr_long(uint16_t vr) {
        switch (vr) {
        case FR_VR('O','B'): case FR_VR('O','W'): case FR_VR('O','F'): case FR_VR('O','D'): case FR_VR('O','L'):
        case FR_VR('O','V'): case FR_VR('S','Q'): case FR_VR('U','C'): case FR_VR('U','R'): case FR_VR('U','T'):
        case FR_VR('U','N'): case FR_VR('S','V'): case FR_VR('U','V'): return 1;
        }
        return 0;
    }
    static inline int fr_vr_word(uint16_t vr) {
        switch (vr) {
        case FR_VR('U','S'): case FR_VR('S','S'): case FR_VR('O','W'): case FR_VR('A','T'): case FR_VR('X','S'):
            return 2;
        case FR_VR('U','L'): case FR_VR('S','L'): case FR_VR('F','L'): case FR_VR('O','F'): case FR_VR('O','L'):
            return 4;
        case FR_VR('F','D'): case FR_VR('O','D'): case FR_VR('S','V'): case FR_VR('U','V'): case FR_VR('O','V'):
            return 8;
        }
        return 1;
    }
    static inline int fr_vr_text(uint16_t vr) {
        switch (vr) {
        case FR_VR('A','E'): case FR_VR('A','S'): case FR_VR('C','S'): case FR_VR('D','A'): case FR_VR('D','S'):
        case FR_VR('D','T'): case FR_VR('I','S'): case FR_VR('L','O'): case FR_VR('L','T'): case FR_VR('P','N'):
        case FR_VR('S','H'): case FR_VR('S','T'): case FR_VR('T','M'): case FR_VR('U','C'): case FR_VR('U','I'):
        case FR_VR('U','R'): case FR_VR('U','T'): return 1;
        }
        return 0;
    }
    """
    uint16_t vr_of "fr_vr_of"(uint32_t tag) noexcept nogil
    bint is_long "fr_vr_long"(uint16_t vr) noexcept nogil
    int word_bytes "fr_vr_word"(uint16_t vr) noexcept nogil
    bint is_text "fr_vr_text"(uint16_t vr) noexcept nogil

cdef enum:
    VR_SQ = 0x5153
    VR_UN = 0x4E55
    VR_OB = 0x424F
    VR_OW = 0x574F
    VR_UI = 0x4955
    VR_US = 0x5355
    VR_SS = 0x5353
    VR_XS = 0x5358
    VR_PN = 0x4E50
    VR_UL = 0x4C55
    VR_SL = 0x4C53
    VR_FL = 0x4C46
    VR_FD = 0x4446
    VR_AT = 0x5441
    VR_IS = 0x5349
    VR_DS = 0x5344
    VR_LT = 0x544C
    VR_ST = 0x5453
    VR_UT = 0x5455
    VR_UR = 0x5255
    VR_SV = 0x5653
    VR_UV = 0x5655
    VR_LO = 0x4F4C
    VR_SH = 0x4853
    VR_UC = 0x4355
    VR_OF = 0x464F
    VR_OD = 0x444F
    VR_OL = 0x4C4F
    VR_OV = 0x564F


cdef inline uint16_t settled_vr(uint16_t vr, uint32_t tag, size_t length, bint signed_pixels) noexcept nogil:
    """The representation to say: a known one for UN, US or SS by Pixel Representation, UN for what is too long."""
    if vr == VR_UN and length <= 65534:
        vr = vr_of(tag)
        if vr == VR_SQ:
            vr = VR_UN
    if vr == VR_XS:
        vr = VR_SS if signed_pixels else VR_US
    return VR_UN if not is_long(vr) and length > 65534 else vr


cdef inline bint is_letters(uint16_t vr) noexcept nogil:
    return 65 <= (vr & 0xFF) <= 90 and 65 <= (vr >> 8) <= 90
