// Substitution with a triangular matrix, level by level: rows of one level do not need each other.
// T: float, double, complex<float>, complex<double>; I: int, long long.

// x[i] = (b[i] - sum of data[place[t]] x[column[t]] for t in begin[s] .. begin[s + 1]) / d,
// i = row[s], for s in level[first] .. level[last]; d = data[diagonal[s]], or 1 if that is negative.
// x and b are row by row with k columns. So many lanes of a warp as the level wants share a row.
// n threads in whole blocks; one block if there is more than one level, since blocks do not wait
// for each other. All threads of a block pass all its shuffles and barriers.
template <typename T, typename I>
__global__ void substitute(T* x, const T* b, const T* data, const I* place, const I* column,
                           const long long* begin, const I* row, const I* diagonal,
                           const long long* level, const int* lanes_of, long long first,
                           long long last, long long k, long long n) {
    long long thread = (long long)blockIdx.x * blockDim.x + threadIdx.x;
    for (long long l = first; l < last; ++l) {
        int lanes = lanes_of[l];
        long long lane = thread % lanes, group = thread / lanes, groups = n / lanes;
        long long start = level[l] * k, end = level[l + 1] * k;
        for (long long base = start; base < end; base += groups) {
            long long item = base + group;
            long long s = k == 1 ? item : item / k, c = item - s * k;
            T sum = T(0);
            if (item < end)
                for (long long t = begin[s] + lane; t < begin[s + 1]; t += lanes)
                    sum += data[place[t]] * x[(long long)column[t] * k + c];
            for (int offset = lanes / 2; offset > 0; offset /= 2)
                sum += from_above(sum, offset, lanes);
            if (item < end && lane == 0) {
                long long at = (long long)row[s] * k + c;
                T rest = b[at] - sum;
                x[at] = diagonal[s] < 0 ? rest : rest / data[diagonal[s]];
            }
        }
        if (l + 1 < last) __syncthreads();
    }
}
