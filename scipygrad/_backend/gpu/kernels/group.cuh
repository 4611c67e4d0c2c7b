// Sums within groups of neighbouring threads of a warp, in a fixed order. In front of every file.

template <typename V>
__device__ V from_above(V v, int offset, int width) {
    return __shfl_down_sync(0xffffffffu, v, offset, width);
}

template <typename V>
__device__ complex<V> from_above(complex<V> v, int offset, int width) {
    return complex<V>(from_above(v.real(), offset, width), from_above(v.imag(), offset, width));
}

// The sum of a group, right in its first thread. All threads of a warp have to come here.
template <int L, typename T>
__device__ T sum_of_group(T v) {
    for (int offset = L / 2; offset > 0; offset /= 2) v += from_above(v, offset, L);
    return v;
}
