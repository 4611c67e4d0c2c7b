// Kernels that go through entries one by one: one thread for each entry of the result.
// T: float, double, complex<float>, complex<double>; I: int, long long.

template <typename T, typename I>
__global__ void gather(T* out, const T* x, const I* index, long long n) {
    long long k = (long long)blockIdx.x * blockDim.x + threadIdx.x;
    if (k >= n) return;
    I i = index[k];
    out[k] = i >= 0 ? x[i] : T(0);
}

template <typename T, typename I>
__global__ void gather_sum(T* out, const T* a, const T* b, const I* left, const I* right,
                           int sign, long long n) {
    long long k = (long long)blockIdx.x * blockDim.x + threadIdx.x;
    if (k >= n) return;
    I i = left[k], j = right[k];
    T s = i >= 0 ? a[i] : T(0);
    if (j >= 0) s = sign > 0 ? s + b[j] : s - b[j];
    out[k] = s;
}

// out[s] = sum of x[order[t]] for t in begin[s] .. begin[s + 1]
template <typename T, typename I>
__global__ void segment_sum(T* out, const T* x, const I* order, const long long* begin,
                            long long n) {
    long long s = (long long)blockIdx.x * blockDim.x + threadIdx.x;
    if (s >= n) return;
    T sum = T(0);
    for (long long t = begin[s]; t < begin[s + 1]; ++t) sum += x[order[t]];
    out[s] = sum;
}

// Whether two index arrays differ anywhere: *found becomes 1.
template <typename T, typename I>
__global__ void differ(int* found, const I* a, const I* b, long long n) {
    long long k = (long long)blockIdx.x * blockDim.x + threadIdx.x;
    if (k < n && a[k] != b[k]) *found = 1;
}
